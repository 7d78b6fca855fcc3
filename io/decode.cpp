#include <millrace/io/decode.h>

#include <millrace/core/error.h>
#include <millrace/image/orientation.h>
#include <millrace/image/pixels.h>
#include <millrace/image/resize.h>
#include <millrace/io/detail/encoded_file.h>
#include <millrace/io/detail/format.h>
#include <millrace/io/detail/jpeg_reader.h>
#include <millrace/io/detail/orientation.h>
#include <millrace/io/detail/raster_readers.h>
#include <millrace/io/files.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace millrace {
namespace {

using detail::Format;
using detail::name_of;
using detail::naming;
using detail::read_into;
using detail::read_start_of;

void check_pixels(int height, int width, std::uint64_t limit) {
  const auto pixels = static_cast<std::uint64_t>(height) * static_cast<std::uint64_t>(width);
  if (pixels <= limit) return;
  throw Error(concat(width, "x", height, " pixels are more than the ", limit,
                     " that an image may have; shrink it or raise --max-image-pixels"));
}

// How many pixels of a large JPEG libjpeg may make one of: the result keeps four times the target's
// height and width, so that the filter still decides what the target looks like.
int jpeg_scale(const detail::JpegHeader& header, int orientation, ImageView target,
               std::uint64_t large) {
  constexpr int kGap = 4;
  const auto pixels =
      static_cast<std::uint64_t>(header.height) * static_cast<std::uint64_t>(header.width);
  if (pixels <= large || target.height == 0 || target.width == 0) return 1;
  const int height = swaps_axes(orientation) ? target.width : target.height;
  const int width = swaps_axes(orientation) ? target.height : target.width;
  const int most = std::min(header.height / height, header.width / width) / kGap;
  return most >= 8 ? 8 : most >= 4 ? 4 : most >= 2 ? 2 : 1;
}

}  // namespace

class Decoder::Impl {
 public:
  explicit Impl(DecoderOptions options) : options_(std::move(options)) {}

  void decode(std::span<const std::byte> file, ImageView target, Filter filter) {
    const Format format = detail::sniff(file);
    const bool turns = options_.exif_orientation || detail::is_always_turned(format);
    const int orientation = turns ? detail::exif_orientation(format, file) : 1;
    if (format == Format::jpeg) return decode_jpeg(file, orientation, target, filter);
    SharedBytes::Turn turn;
    show(decode_raster(format, file, turn), orientation, target, filter);
  }

  // Calls body(bytes of the file), in the decoder's own memory or in that of large files.
  template <class File, class Body>
  auto with_file(const File& from, Body body) {
    Bytes length;
    try {
      read_into(from, file_, options_.max_scratch);
    } catch (const FileTooLong& error) {
      length = error.length();
      if (options_.large == nullptr || length.count == 0) throw;
    }
    if (length.count == 0) return body(file_);
    SharedBytes& files = options_.large->files;
    if (length > files.all()) {
      throw Error(concat(name_of(from), ": is ", length, " long, more than the ", files.all(),
                         " that the file of an image may be; shrink it or raise --memory-budget"));
    }
    const SharedBytes::Turn turn = files.take(length);
    std::vector<std::byte> file;  // its memory goes back before the turn does
    read_into(from, file, length);
    return body(file);
  }

  template <class File>
  void decode_file(const File& from, ImageView target, Filter filter) {
    with_file(from, [&](std::span<const std::byte> file) {
      naming(name_of(from), [&] { decode(file, target, filter); });
    });
  }

  template <class File>
  ImageInfo info(const File& from) {
    constexpr std::size_t kStart = 64 * 1024;
    file_.resize(kStart);
    std::error_code error;
    const auto start = std::span(file_).first(read_start_of(from, file_, error));
    try {
      if (!error) return image_info(start, name_of(from));
    } catch (const Error&) {
      if (start.size() < kStart) throw;
    }
    return with_file(
        from, [&](std::span<const std::byte> file) { return image_info(file, name_of(from)); });
  }

  void fit(ConstImageView source, ImageView target, Filter filter) {
    if (source.channels == target.channels) return resizer_.resize(source, target, filter);
    resizer_.begin(source.height, source.width, target, filter);
    for (int y = 0; y < source.height; ++y) {
      push(source.row(y), source.width, source.channels, target.channels);
    }
  }

  [[nodiscard]] const DecoderOptions& options() const noexcept { return options_; }
  [[nodiscard]] Bytes bytes() const noexcept {
    return resizer_.scratch_bytes() + rows_.scratch_bytes() +
           Bytes{file_.capacity() + row_.capacity() + converted_.capacity()};
  }

 private:
  // Of an image's memory beside the file.
  [[nodiscard]] Bytes most() const noexcept {
    return options_.large == nullptr ? options_.max_scratch
                                     : std::max(options_.max_scratch, options_.large->images.all());
  }
  // None where the decoder's own memory is enough.
  [[nodiscard]] SharedBytes::Turn take(std::uint64_t bytes) {
    if (bytes <= options_.max_scratch.count) return {};
    return options_.large->images.take(Bytes{bytes});
  }

  // Of what decoding takes besides the pixels nobody knows the sum beforehand. Most files of a
  // format do with what is guessed here; the others are begun anew with all there is.
  detail::Raster decode_raster(Format format, std::span<const std::byte> file,
                               SharedBytes::Turn& turn) {
    const auto transparency =
        options_.background ? detail::Transparency::kept : detail::Transparency::dropped;
    const detail::RasterHeader header = detail::raster_header(format, file, transparency);
    check_pixels(header.height, header.width, options_.max_pixels);
    const std::uint64_t pixels = detail::raster_bytes(header);
    const std::uint64_t all = most().count;
    detail::check_raster_bytes(pixels, all);
    for (std::uint64_t room = std::min(2 * (pixels + file.size()), all);; room = all) {
      turn = {};
      turn = take(room);
      const std::uint64_t given = std::max(options_.max_scratch, turn.bytes()).count;
      try {
        return detail::decode_raster(format, file, given, transparency);
      } catch (const detail::TooLittleMemory&) {
        if (given >= all) throw;
      }
    }
  }

  void decode_jpeg(std::span<const std::byte> file, int orientation, ImageView target,
                   Filter filter) {
    struct Closing {
      detail::JpegReader& reader;
      ~Closing() { reader.close(); }
    };
    detail::JpegHeader header = jpeg_.open(file);
    check_pixels(header.height, header.width, options_.max_pixels);
    if (filter != Filter::nearest) {
      header = jpeg_.scale(jpeg_scale(header, orientation, target, options_.large_jpeg));
    }
    const detail::RasterHeader whole{header.height, header.width, header.channels == 1 ? 1 : 3};
    const std::uint64_t bytes = (header.has_many_scans ? header.coefficient_bytes : 0) +
                                (orientation == 1 ? 0 : detail::raster_bytes(whole));
    detail::check_raster_bytes(bytes, most().count);
    const SharedBytes::Turn turn = take(bytes);
    const Closing closing{jpeg_};
    if (orientation != 1) return decode_turned_jpeg(header, whole, orientation, target, filter);
    resizer_.begin(header.height, header.width, target, filter);
    const bool is_rgb = header.channels == 3 && target.channels == 3;
    std::uint8_t* const wide = is_rgb ? resizer_.wide_row() : nullptr;
    jpeg_.start(wide != nullptr);
    for (int y = 0; wide != nullptr && y < header.height; ++y) {
      jpeg_.read_row(wide);
      resizer_.push_wide_row();
    }
    for (int y = 0; wide == nullptr && y < header.height; ++y) {
      row_.resize(static_cast<std::size_t>(header.width) *
                  static_cast<std::size_t>(header.channels));
      read_jpeg_row(header, row_.data());
      push(row_.data(), header.width, whole.channels, target.channels);
    }
  }

  // A file whose rows come in another order than they are shown is decoded whole.
  void decode_turned_jpeg(const detail::JpegHeader& header, const detail::RasterHeader& size,
                          int orientation, ImageView target, Filter filter) {
    const detail::Raster image = detail::new_raster(size, detail::raster_bytes(size));
    const auto bytes =
        static_cast<std::size_t>(size.width) * static_cast<std::size_t>(size.channels);
    row_.resize(static_cast<std::size_t>(header.width) * static_cast<std::size_t>(header.channels));
    jpeg_.start();
    for (int y = 0; y < header.height; ++y) {
      read_jpeg_row(header, row_.data());
      std::copy_n(row_.data(), bytes, image.pixels.get() + static_cast<std::size_t>(y) * bytes);
    }
    show(image, orientation, target, filter);
  }

  // CMYK becomes RGB.
  void read_jpeg_row(const detail::JpegHeader& header, std::uint8_t* row) {
    jpeg_.read_row(row);
    if (header.channels == 4) convert_cmyk_row(row, true, row, header.width);
  }

  // Resizes what was decoded whole, as it is to be seen.
  void show(const detail::Raster& image, int orientation, ImageView target, Filter filter) {
    const ConstImageView source{image.pixels.get(), image.header.height, image.header.width,
                                image.header.channels};
    const bool is_composed = options_.background && source.channels % 2 == 0;
    if (orientation == 1 && !is_composed) return fit(source, target, filter);
    rows_.begin(source, orientation);
    resizer_.begin(rows_.height(), rows_.width(), target, filter);
    for (int y = 0; y < rows_.height(); ++y) {
      push(rows_.row(y), rows_.width(), source.channels, target.channels);
    }
  }

  void push(const std::uint8_t* row, int width, int from, int to) {
    const auto bytes = static_cast<std::size_t>(width) * static_cast<std::size_t>(to);
    if (from == to) return resizer_.push_row({row, bytes});
    converted_.resize(bytes);
    if (options_.background && from % 2 == 0) {
      compose_row(row, from, *options_.background, converted_.data(), to, width);
    } else {
      convert_row(row, from, converted_.data(), to, width);
    }
    resizer_.push_row(converted_);
  }

  DecoderOptions options_;
  Resizer resizer_;
  OrientedRows rows_;
  detail::JpegReader jpeg_;
  std::vector<std::byte> file_;
  std::vector<std::uint8_t> row_;        // as decoded
  std::vector<std::uint8_t> converted_;  // in the target's channels
};

Decoder::Decoder(DecoderOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Decoder::~Decoder() = default;
Decoder::Decoder(const Decoder& other) : Decoder(other.impl_->options()) {}
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder other) noexcept {
  impl_.swap(other.impl_);
  return *this;
}

void Decoder::decode(std::span<const std::byte> file, std::string_view name, ImageView target,
                     Filter filter) {
  naming(name, [&] { impl_->decode(file, target, filter); });
}

void Decoder::decode(std::span<const std::byte> file, std::string_view name,
                     const TensorView& target, Filter filter) {
  if (target.dtype == DType::u8) return decode(file, name, image_of(target), filter);
  const TensorView bytes = bytes_within(target);
  decode(file, name, image_of(bytes), filter);
  spread_bytes(target);
}

void Decoder::decode_file(const std::filesystem::path& path, ImageView target, Filter filter) {
  impl_->decode_file(path, target, filter);
}

void Decoder::decode_file(const FilePart& file, ImageView target, Filter filter) {
  impl_->decode_file(file, target, filter);
}

ImageInfo Decoder::info(const std::filesystem::path& path) {
  return impl_->info(path);
}

ImageInfo Decoder::info(const FilePart& file) {
  return impl_->info(file);
}

void Decoder::fit(ConstImageView source, ImageView target, Filter filter) {
  impl_->fit(source, target, filter);
}

Bytes Decoder::scratch_bytes() const noexcept {
  return impl_->bytes();
}

}  // namespace millrace
