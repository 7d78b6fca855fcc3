#include <millrace/io/detail/raster_readers.h>

#include <millrace/core/error.h>
#include <millrace/io/detail/bmp_reader.h>
#include <millrace/io/detail/gif_reader.h>
#include <millrace/io/detail/png_reader.h>
#include <millrace/io/detail/pnm_reader.h>
#include <millrace/io/detail/psd_reader.h>
#include <millrace/io/detail/tga_reader.h>
#include <millrace/io/detail/tiff_reader.h>
#include <millrace/io/detail/webp_reader.h>

namespace millrace::detail {

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
