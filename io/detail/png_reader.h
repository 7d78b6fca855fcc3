#pragma once
// PNG: checks what stb_image ignores before calling it, and gives it only what it
// reads as Pillow does. Palettes are applied here.

#include <millrace/io/detail/raster.h>

#include <cstddef>
#include <span>

namespace millrace::detail {

/// Reads the header, and what stands in front of the pixels if transparent colours are kept. Throws
/// Error without the file's name, as png_decode().
[[nodiscard]] RasterHeader png_header(std::span<const std::byte> file, Transparency transparency);

/// Decodes to 8 bits a sample, of more bits the highest 8. Indices beyond the palette are black. Of
/// an animation this is the image that viewers without animation show. At no time is more than
/// `max_bytes` allocated. Throws Error (damaged, ends early, not supported), std::bad_alloc.
[[nodiscard]] Raster png_decode(std::span<const std::byte> file, std::size_t max_bytes,
                                Transparency transparency);

}  // namespace millrace::detail
