#include <millrace/io/detail/raster.h>

#include <millrace/core/bytes.h>
#include <millrace/core/error.h>
#include <millrace/io/detail/bmp_reader.h>
#include <millrace/io/detail/gif_reader.h>
#include <millrace/io/detail/png_reader.h>
#include <millrace/io/detail/pnm_reader.h>
#include <millrace/io/detail/psd_reader.h>
#include <millrace/io/detail/tga_reader.h>
#include <millrace/io/detail/tiff_reader.h>
#include <millrace/io/detail/webp_reader.h>

#include <cstdlib>
#include <new>

namespace millrace::detail {

std::size_t raster_bytes(const RasterHeader& header) noexcept {
  return static_cast<std::size_t>(header.height) * static_cast<std::size_t>(header.width) *
         static_cast<std::size_t>(header.channels);
}

namespace {

constexpr const char* kWhatToDo = " that a picture may; shrink it or raise --memory-budget";

}  // namespace

void check_raster_bytes(std::uint64_t bytes, std::size_t max_bytes) {
  if (bytes <= max_bytes) return;
  throw TooLittleMemory(
      concat("decoding it takes ", Bytes{bytes}, ", more than the ", Bytes{max_bytes}, kWhatToDo));
}

void refuse_raster_bytes(std::size_t max_bytes) {
  throw TooLittleMemory(concat("decoding it takes more than the ", Bytes{max_bytes}, kWhatToDo));
}

Raster new_raster(const RasterHeader& header, std::size_t max_bytes) {
  const std::size_t bytes = raster_bytes(header);
  check_raster_bytes(bytes, max_bytes);
  auto* const memory = static_cast<std::uint8_t*>(std::calloc(1, bytes));
  if (memory == nullptr) throw std::bad_alloc();
  return {header, {memory, [](std::uint8_t* pixels) { std::free(pixels); }}};
}

RasterHeader raster_header(Format format, std::span<const std::byte> file,
                           Transparency transparency) {
  switch (format) {
    case Format::jpeg: break;
    case Format::bmp: return bmp_header(file, transparency);
    case Format::pnm: return pnm_header(file);
    case Format::png: return png_header(file, transparency);
    case Format::gif: return gif_header(file, transparency);
    case Format::psd: return psd_header(file);
    case Format::tga: return tga_header(file, transparency);
    case Format::tiff: return tiff_header(file, transparency);
    case Format::webp: return webp_header(file, transparency);
  }
  MILLRACE_CHECK(false, to_string(format), " is not read whole");
}

Raster decode_raster(Format format, std::span<const std::byte> file, std::size_t max_bytes,
                     Transparency transparency) {
  switch (format) {
    case Format::jpeg: break;
    case Format::png: return png_decode(file, max_bytes, transparency);
    case Format::bmp: return bmp_decode(file, max_bytes, transparency);
    case Format::pnm: return pnm_decode(file, max_bytes);
    case Format::gif: return gif_decode(file, max_bytes, transparency);
    case Format::psd: return psd_decode(file, max_bytes);
    case Format::tga: return tga_decode(file, max_bytes, transparency);
    case Format::tiff: return tiff_decode(file, max_bytes, transparency);
    case Format::webp: return webp_decode(file, max_bytes, transparency);
  }
  MILLRACE_CHECK(false, to_string(format), " is not read whole");
}

}  // namespace millrace::detail
