#pragma once
// GIF files by giflib, from memory, the first frame only.

#include <millrace/io/detail/raster.h>

#include <cstddef>
#include <span>

namespace millrace::detail {

/// Goes through the file up to its first frame; grey where the frame has no palette, with alpha
/// where a transparent colour is kept.
[[nodiscard]] RasterHeader gif_header(std::span<const std::byte> file, Transparency transparency);

/// Decodes the first frame as Pillow shows it: on a canvas that holds screen and frame, filled with
/// the transparent colour or else colour 0; an index beyond the palette is black. giflib takes 40
/// KiB beside `max_bytes`.
[[nodiscard]] Raster gif_decode(std::span<const std::byte> file, std::size_t max_bytes,
                                Transparency transparency);

}  // namespace millrace::detail
