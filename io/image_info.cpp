#include <millrace/image/orientation.h>
#include <millrace/io/decode.h>
#include <millrace/io/detail/encoded_file.h>
#include <millrace/io/detail/format.h>
#include <millrace/io/detail/jpeg_reader.h>
#include <millrace/io/detail/orientation.h>
#include <millrace/io/detail/raster_readers.h>

#include <utility>

namespace millrace {

using detail::Format;

ImageInfo image_info(std::span<const std::byte> file, std::string_view name) {
  return detail::naming(name, [&]() -> ImageInfo {
    const Format format = detail::sniff(file);
    const int orientation = detail::exif_orientation(format, file);
    if (detail::is_always_turned(format)) {
      detail::RasterHeader header = detail::raster_header(format, file);
      if (swaps_axes(orientation)) std::swap(header.height, header.width);
      return {to_string(format), header.height, header.width, header.channels};
    }
    if (format == Format::jpeg) {
      detail::JpegReader reader;
      const detail::JpegHeader header = reader.open(file);
      return {to_string(format), header.height, header.width, header.channels, orientation};
    }
    const detail::RasterHeader header = detail::raster_header(format, file);
    return {to_string(format), header.height, header.width, header.channels, orientation};
  });
}

}  // namespace millrace
