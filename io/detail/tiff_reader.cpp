#include <millrace/io/detail/tiff_reader.h>

#include <millrace/core/error.h>
#include <millrace/io/detail/tiff_file.h>
#include <millrace/io/detail/tiff_layout.h>
#include <millrace/io/detail/tiff_memory.h>

#include <tiffio.h>
#include <webp/decode.h>
#include <algorithm>
#include <vector>

namespace millrace::detail {
namespace {

// One file being decoded into one raster, whose memory is what `max_bytes` leaves.
class Decoding {
 public:
  Decoding(std::span<const std::byte> bytes, std::size_t max_bytes, Transparency transparency)
      : file_(bytes, max_bytes),
        layout_(read_tiff_layout(file_, transparency)),
        max_bytes_(max_bytes),
        is_tiled_(TIFFIsTiled(file_.get()) != 0) {}

  Raster run() {
    const bool is_jpeg = layout_.compression == COMPRESSION_JPEG;
    const bool is_ycc = layout_.colours == TiffColours::ycc;
    if (is_ycc && is_jpeg && !layout_.has_planes) {
      TIFFSetField(file_.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    }
    measure();
    if (is_ycc && (!is_jpeg || layout_.has_planes)) {
      read_as_rgba();
    } else if (is_tiled_) {
      read_tiles();
    } else {
      read_rows();
    }
    file_.check();
    return std::move(image_);
  }

 private:
  // The sizes of blocks, a strip or a tile each, which are what libtiff decodes from.
  void measure() {
    TIFF* const tiff = file_.get();
    const auto height = static_cast<std::uint32_t>(layout_.header.height);
    block_rows_ = is_tiled_ ? file_.number(TIFFTAG_TILELENGTH)
                            : std::min(height, file_.number(TIFFTAG_ROWSPERSTRIP));
    block_width_ = is_tiled_ ? file_.number(TIFFTAG_TILEWIDTH)
                             : static_cast<std::uint32_t>(layout_.header.width);
    block_bytes_ = is_tiled_ ? TIFFTileSize64(tiff) : TIFFStripSize64(tiff);
    row_bytes_ = is_tiled_ ? TIFFTileRowSize64(tiff) : TIFFScanlineSize64(tiff);
    if (block_rows_ == 0 || block_width_ == 0 || block_bytes_ == 0 || row_bytes_ == 0) file_.fail();
  }

  // The largest block as it is in the file, with what its decoder takes beside it.
  [[nodiscard]] std::uint64_t measure_packed() const {
    const std::span<const std::byte> file = file_.bytes();
    std::uint64_t most = 0;
    for (std::uint32_t i = 0, n = TIFFNumberOfStrips(file_.get()); i < n; ++i) {
      const std::uint64_t offset =
          std::min<std::uint64_t>(TIFFGetStrileOffset(file_.get(), i), file.size());
      const std::uint64_t size =
          std::min<std::uint64_t>(TIFFGetStrileByteCount(file_.get(), i), file.size() - offset);
      const auto block =
          file.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(size));
      if (layout_.compression == COMPRESSION_WEBP) check_webp(block, i);
      most = std::max(most, size + demanded_bytes(layout_.compression, block));
    }
    return most;
  }

  // libtiff 4.5 takes an image that is smaller than its strip or tile and leaves the rest as it
  // is.
  void check_webp(std::span<const std::byte> block, std::uint32_t index) const {
    const auto height = static_cast<std::uint64_t>(layout_.header.height);
    const std::uint64_t above = is_tiled_ ? 0 : std::uint64_t{block_rows_} * index;
    const std::uint64_t rows =
        is_tiled_ ? block_rows_
                  : std::min<std::uint64_t>(block_rows_, height - std::min(height, above));
    int found_width = 0;
    int found_height = 0;
    const int is_webp = WebPGetInfo(reinterpret_cast<const std::uint8_t*>(block.data()),
                                    block.size(), &found_width, &found_height);
    if (is_webp != 0 && (static_cast<std::uint64_t>(found_width) != block_width_ ||
                         static_cast<std::uint64_t>(found_height) != rows)) {
      throw Error("it is damaged (a WebP of another size than its strip or tile); get it again");
    }
  }

  // Takes the raster, if there is room for it, for `buffer` and for what libtiff takes itself.
  void take(std::uint64_t buffer) {
    // Without compression it is read in place.
    std::uint64_t packed = layout_.compression != COMPRESSION_NONE ? measure_packed() : 0;
    // WebP is decoded whole beside what is given out.
    if (layout_.compression == COMPRESSION_WEBP) packed += 3 * std::min(block_bytes_, kFar);
    buffer = std::min(buffer, kFar);
    check_raster_bytes(
        std::min<std::uint64_t>(raster_bytes(layout_.header), kFar) + buffer + packed, max_bytes_);
    image_ = new_raster(layout_.header, max_bytes_);
    buffer_.resize(static_cast<std::size_t>(buffer));
  }

  [[nodiscard]] std::uint8_t* row(std::uint32_t y) const {
    return image_.pixels.get() + y * static_cast<std::size_t>(layout_.header.width) *
                                     static_cast<std::size_t>(layout_.header.channels);
  }

  // -1 for all samples at once, or the planes one after the other.
  template <class Body>
  void for_each_plane(Body body) {
    if (!layout_.has_planes) return body(-1);
    for (int plane = 0; plane < layout_.used; ++plane) body(plane);
  }

  void read_rows() {
    const auto height = static_cast<std::uint32_t>(layout_.header.height);
    if (row_bytes_ < layout_.row_bytes(layout_.has_planes ? 1 : layout_.samples)) file_.fail();
    take(row_bytes_);
    for_each_plane([&](int plane) {
      const auto sample = static_cast<std::uint16_t>(std::max(plane, 0));
      for (std::uint32_t y = 0; y < height; ++y) {
        if (TIFFReadScanline(file_.get(), buffer_.data(), y, sample) != 1) file_.fail();
        place_samples(layout_, buffer_.data(), plane, row(y));
      }
    });
    for (std::uint32_t y = 0; y < height; ++y) finish_row(layout_, row(y));
  }

  void read_tiles() {
    const auto height = static_cast<std::uint32_t>(layout_.header.height);
    const auto width = static_cast<std::uint32_t>(layout_.header.width);
    TiffLayout part = layout_;  // of a tile's row: as much as lies in the image
    part.header.width = static_cast<int>(std::min(block_width_, width));
    const int samples = layout_.has_planes ? 1 : layout_.samples;
    if (row_bytes_ < part.row_bytes(samples) || block_bytes_ / row_bytes_ < block_rows_)
      file_.fail();
    take(block_bytes_);
    const auto channels = static_cast<std::size_t>(layout_.header.channels);
    const auto read_tile = [&](std::uint32_t x, std::uint32_t y, int plane) {
      const auto sample = static_cast<std::uint16_t>(std::max(plane, 0));
      if (TIFFReadTile(file_.get(), buffer_.data(), x, y, 0, sample) < 0) file_.fail();
      part.header.width = static_cast<int>(std::min(block_width_, width - x));
      for (std::uint32_t i = 0; i < std::min(block_rows_, height - y); ++i) {
        place_samples(part, buffer_.data() + i * static_cast<std::size_t>(row_bytes_), plane,
                      row(y + i) + x * channels);
      }
    };
    for_each_plane([&](int plane) {
      for (std::uint64_t y = 0; y < height; y += block_rows_) {
        for (std::uint64_t x = 0; x < width; x += block_width_) {
          read_tile(static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y), plane);
        }
      }
    });
    for (std::uint32_t y = 0; y < height; ++y) finish_row(layout_, row(y));
  }

  // YCbCr with fewer samples of colour than of light: libtiff's own conversion, which Pillow takes
  // too.
  void read_as_rgba();

  static constexpr std::uint64_t kFar = std::uint64_t{1} << 60;  // sums of these do not overflow

  TiffFile file_;
  TiffLayout layout_;
  std::size_t max_bytes_;
  bool is_tiled_;
  std::uint32_t block_rows_ = 0;
  std::uint32_t block_width_ = 0;
  std::uint64_t block_bytes_ = 0;
  std::uint64_t row_bytes_ = 0;
  Raster image_{{}, {nullptr, [](std::uint8_t*) {}}};
  std::vector<std::uint8_t> buffer_;
};

struct EndOfImage {
  TIFFRGBAImage& image;
  ~EndOfImage() { TIFFRGBAImageEnd(&image); }
};

void Decoding::read_as_rgba() {
  const auto height = static_cast<std::uint32_t>(layout_.header.height);
  const auto width = static_cast<std::uint32_t>(layout_.header.width);
  const std::uint32_t rows = std::min(block_rows_, height);
  // And libtiff's own block.
  take(std::uint64_t{width} * rows * sizeof(std::uint32_t) + std::min(block_bytes_, kFar));
  buffer_ = {};
  std::vector<std::uint32_t> pixels(std::size_t{width} * rows);
  std::array<char, 1024> message{};  // the same as for the handlers, or said by them
  TIFFRGBAImage image{};
  if (TIFFRGBAImageOK(file_.get(), message.data()) == 0 ||
      TIFFRGBAImageBegin(&image, file_.get(), 1, message.data()) == 0) {
    throw Error(concat("it is damaged (", message.data(), "); get it again"));
  }
  const EndOfImage end{image};
  image.orientation = ORIENTATION_TOPLEFT;
  image.req_orientation = ORIENTATION_TOPLEFT;
  for (std::uint64_t y = 0; y < height; y += rows) {
    const std::uint32_t first = static_cast<std::uint32_t>(y);
    const std::uint32_t count = std::min(rows, height - first);
    image.row_offset = static_cast<int>(first);
    if (TIFFRGBAImageGet(&image, pixels.data(), width, count) == 0) file_.fail();
    std::uint8_t* into = row(first);
    for (std::size_t i = 0; i < std::size_t{width} * count; ++i) {
      *into++ = static_cast<std::uint8_t>(TIFFGetR(pixels[i]));
      *into++ = static_cast<std::uint8_t>(TIFFGetG(pixels[i]));
      *into++ = static_cast<std::uint8_t>(TIFFGetB(pixels[i]));
    }
  }
}

}  // namespace

RasterHeader tiff_header(std::span<const std::byte> file, Transparency transparency) {
  // Tags that are larger belong to what is done with images elsewhere.
  constexpr std::size_t kMost = 64U << 20;
  return read_tiff_layout(TiffFile(file, kMost), transparency).header;
}

Raster tiff_decode(std::span<const std::byte> file, std::size_t max_bytes,
                   Transparency transparency) {
  return Decoding(file, max_bytes, transparency).run();
}

}  // namespace millrace::detail
