#include <millrace/io/decode.h>

#include <millrace/core/error.h>
#include <millrace/image/pixels.h>
#include <millrace/io/detail/format.h>
#include <millrace/io/detail/jpeg_reader.h>
#include <millrace/io/detail/raster.h>
#include <millrace/io/files.h>

#include <vector>

namespace millrace {
namespace {

using detail::Format;

// Runs `body` and puts the name of the file in front of what goes wrong.
template <class Body>
auto naming(std::string_view name, Body body) {
  try {
    return body();
  } catch (const Error& error) {
    throw Error(concat(name, ": ", error.what()));
  }
}

void check_pixels(int height, int width, std::uint64_t limit) {
  const auto pixels = static_cast<std::uint64_t>(height) * static_cast<std::uint64_t>(width);
  if (pixels <= limit) return;
  throw Error(concat(width, "x", height, " pixels are more than the ", limit,
                     " that a picture may have; shrink it or raise max_pixels"));
}

void check_scratch(std::uint64_t bytes, Bytes limit) {
  if (bytes <= limit.count) return;
  throw Error(concat("decoding it takes ", Bytes{bytes}, ", more than the ", limit,
                     " that a picture may; shrink it or allow decoding more memory"));
}

}  // namespace

ImageInfo image_info(std::span<const std::byte> file, std::string_view name) {
  return naming(name, [&]() -> ImageInfo {
    const Format format = detail::sniff(file);
    if (format == Format::jpeg) {
      detail::JpegReader reader;
      const detail::JpegHeader header = reader.open(file);
      return {to_string(format), header.height, header.width, header.channels};
    }
    const detail::RasterHeader header = detail::raster_header(format, file);
    return {to_string(format), header.height, header.width, header.channels};
  });
}

class Decoder::Impl {
 public:
  explicit Impl(DecoderOptions options) : options_(options) {}

  void decode(std::span<const std::byte> file, ImageView target, Filter filter) {
    const Format format = detail::sniff(file);
    if (format == Format::jpeg) return decode_jpeg(file, target, filter);
    const detail::RasterHeader header = detail::raster_header(format, file);
    check_pixels(header.height, header.width, options_.max_pixels);
    check_scratch(static_cast<std::uint64_t>(header.height) *
                      static_cast<std::uint64_t>(header.width) *
                      static_cast<std::uint64_t>(header.channels),
                  options_.max_scratch);
    const detail::Raster picture = detail::decode_raster(format, file, options_.max_scratch.count);
    fit({picture.pixels.get(), picture.header.height, picture.header.width,
         picture.header.channels},
        target, filter);
  }

  void fit(ConstImageView source, ImageView target, Filter filter) {
    if (source.channels == target.channels) return resizer_.resize(source, target, filter);
    resizer_.begin(source.height, source.width, target, filter);
    for (int y = 0; y < source.height; ++y) {
      push(source.row(y), source.width, source.channels, target.channels);
    }
  }

  std::vector<std::byte>& file() noexcept { return file_; }
  [[nodiscard]] Bytes max_scratch() const noexcept { return options_.max_scratch; }
  [[nodiscard]] Bytes bytes() const noexcept {
    return resizer_.scratch_bytes() +
           Bytes{file_.capacity() + row_.capacity() + converted_.capacity()};
  }

 private:
  void decode_jpeg(std::span<const std::byte> file, ImageView target, Filter filter) {
    const detail::JpegHeader header = jpeg_.open(file);
    check_pixels(header.height, header.width, options_.max_pixels);
    if (header.has_many_scans) check_scratch(header.coefficient_bytes, options_.max_scratch);
    resizer_.begin(header.height, header.width, target, filter);
    const bool is_rgb = header.channels == 3 && target.channels == 3;
    std::uint8_t* const wide = is_rgb ? resizer_.wide_row() : nullptr;
    jpeg_.start(wide != nullptr);
    for (int y = 0; wide != nullptr && y < header.height; ++y) {
      jpeg_.read_row(wide);
      resizer_.push_wide_row();
    }
    if (wide == nullptr) push_rows(header, target.channels);
    jpeg_.close();
  }

  void push_rows(const detail::JpegHeader& header, int channels) {
    row_.resize(static_cast<std::size_t>(header.width) * static_cast<std::size_t>(header.channels));
    for (int y = 0; y < header.height; ++y) {
      jpeg_.read_row(row_.data());
      if (header.channels == 4) convert_cmyk_row(row_.data(), true, row_.data(), header.width);
      push(row_.data(), header.width, header.channels == 1 ? 1 : 3, channels);
    }
  }

  void push(const std::uint8_t* row, int width, int from, int to) {
    const auto bytes = static_cast<std::size_t>(width) * static_cast<std::size_t>(to);
    if (from == to) return resizer_.push_row({row, bytes});
    converted_.resize(bytes);
    convert_row(row, from, converted_.data(), to, width);
    resizer_.push_row(converted_);
  }

  DecoderOptions options_;
  Resizer resizer_;
  detail::JpegReader jpeg_;
  std::vector<std::byte> file_;
  std::vector<std::uint8_t> row_;        // as decoded
  std::vector<std::uint8_t> converted_;  // in the target's channels
};

Decoder::Decoder(DecoderOptions options) : impl_(std::make_unique<Impl>(options)) {}
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;

void Decoder::decode(std::span<const std::byte> file, std::string_view name, ImageView target,
                     Filter filter) {
  naming(name, [&] { impl_->decode(file, target, filter); });
}

void Decoder::decode_file(const std::filesystem::path& path, ImageView target, Filter filter) {
  read_file_into(path, impl_->file(), impl_->max_scratch());
  decode(impl_->file(), path.native(), target, filter);
}

void Decoder::fit(ConstImageView source, ImageView target, Filter filter) {
  impl_->fit(source, target, filter);
}

Bytes Decoder::scratch_bytes() const noexcept {
  return impl_->bytes();
}

}  // namespace millrace
