#include <millrace/io/detail/raster.h>

#include <millrace/core/bytes.h>
#include <millrace/core/error.h>
#include <millrace/io/detail/png_reader.h>
#include <millrace/io/detail/stb_picture.h>

#include <cstdlib>
#include <new>

namespace millrace::detail {

Raster new_raster(const RasterHeader& header, std::size_t max_bytes) {
  const std::size_t bytes = static_cast<std::size_t>(header.height) *
                            static_cast<std::size_t>(header.width) *
                            static_cast<std::size_t>(header.channels);
  if (bytes > max_bytes) {
    throw Error(concat("decoding it takes ", Bytes{bytes}, ", more than the ", Bytes{max_bytes},
                       " that a picture may; shrink it or allow decoding more memory"));
  }
  auto* const memory = static_cast<std::uint8_t*>(std::calloc(1, bytes));
  if (memory == nullptr) throw std::bad_alloc();
  return {header, {memory, [](std::uint8_t* pixels) { std::free(pixels); }}};
}

RasterHeader raster_header(Format format, std::span<const std::byte> file) {
  switch (format) {
    case Format::jpeg: break;
    case Format::png: return png_header(file);
    case Format::bmp:
    case Format::gif:
    case Format::pnm:
    case Format::psd:
    case Format::tga: return stb_header(file);
  }
  MILLRACE_CHECK(false, to_string(format), " is not read whole");
}

Raster decode_raster(Format format, std::span<const std::byte> file, std::size_t max_bytes) {
  switch (format) {
    case Format::jpeg: break;
    case Format::png: return png_decode(file, max_bytes);
    case Format::bmp:
    case Format::gif:
    case Format::pnm:
    case Format::psd:
    case Format::tga: return stb_decode(file, max_bytes);
  }
  MILLRACE_CHECK(false, to_string(format), " is not read whole");
}

}  // namespace millrace::detail
