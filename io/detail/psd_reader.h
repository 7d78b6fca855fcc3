#pragma once
// Photoshop's PSD files: the merged image of 8 bits a sample, grey, duotone, indexed, RGB or CMYK,
// raw or packed with PackBits. Layers are skipped. What Pillow does not read, or reads wrongly,
// is refused by its kind.

#include <millrace/io/detail/raster.h>

#include <cstddef>
#include <span>

namespace millrace::detail {

/// CMYK counts as 3 channels: it is read as RGB.
[[nodiscard]] RasterHeader psd_header(std::span<const std::byte> file);

[[nodiscard]] Raster psd_decode(std::span<const std::byte> file, std::size_t max_bytes);

}  // namespace millrace::detail
