#pragma once
// TGA files: grey, true colour and colour maps, raw or in runs, from any of the four corners. What
// Pillow does not read is refused by its kind.

#include <millrace/io/detail/raster.h>

#include <cstddef>
#include <span>

namespace millrace::detail {

/// TGA files have no magic number. This looks for the signature at the end, which the newer ones
/// have, and else at whether all header fields make sense together.
[[nodiscard]] bool is_tga(std::span<const std::byte> file);

/// Of 16 bits, also of a map, the highest is alpha where that is kept, in Pillow's way: 0 is
/// opaque.
[[nodiscard]] RasterHeader tga_header(std::span<const std::byte> file, Transparency transparency);

/// An index that the colour map does not have is black, as in Pillow.
[[nodiscard]] Raster tga_decode(std::span<const std::byte> file, std::size_t max_bytes,
                                Transparency transparency);

}  // namespace millrace::detail
