#pragma once
// A guarded stb_image: PNG from memory, with a bound on its allocations and detection of files that
// end early. Errors are Error without the file's name.

#include <millrace/io/detail/raster.h>

#include <cstddef>
#include <span>

namespace millrace::detail {

/// Reads the header only.
[[nodiscard]] RasterHeader stb_header(std::span<const std::byte> file);

/// Decodes the first image to 8 bits a sample. At no time is more than `max_bytes` allocated, of
/// which `taken` are in use already. Throws Error, std::bad_alloc.
[[nodiscard]] Raster stb_decode(std::span<const std::byte> file, std::size_t max_bytes,
                                std::size_t taken = 0);

}  // namespace millrace::detail
