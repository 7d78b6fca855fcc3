#pragma once
// The readers of all formats that are read whole, by format.

#include <millrace/io/detail/format.h>
#include <millrace/io/detail/raster.h>

#include <cstddef>
#include <span>

namespace millrace::detail {

/// Reads the header only. Throws Error without the file's name, as all functions here.
[[nodiscard]] RasterHeader raster_header(Format format, std::span<const std::byte> file,
                                         Transparency transparency = Transparency::dropped);

/// Decodes the first image to 8 bits a sample; the header is raster_header()'s for the same
/// `transparency`. At no time is more than `max_bytes` allocated. Throws TooLittleMemory,
/// Error (damaged, ends early, a kind that is not supported), std::bad_alloc. Requires: not
/// Format::jpeg.
[[nodiscard]] Raster decode_raster(Format format, std::span<const std::byte> file,
                                   std::size_t max_bytes,
                                   Transparency transparency = Transparency::dropped);

}  // namespace millrace::detail
