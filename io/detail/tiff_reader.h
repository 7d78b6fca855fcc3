#pragma once
// TIFF by libtiff: the first page, of 1 to 16 bits a sample in grey, a palette, RGB, CMYK or YCbCr,
// in strips or tiles.

#include <millrace/io/detail/raster.h>

namespace millrace::detail {

/// Throws Error, also for kinds of TIFF that are not read.
[[nodiscard]] RasterHeader tiff_header(std::span<const std::byte> file, Transparency transparency);

/// Pixels are Pillow's, but grey of more than 8 bits is scaled by its maximum where Pillow clips.
/// A fourth sample that the file does not name is alpha where that is kept. CMYK comes as RGB with
/// an alpha of 255. Throws Error, std::bad_alloc.
[[nodiscard]] Raster tiff_decode(std::span<const std::byte> file, std::size_t max_bytes,
                                 Transparency transparency);

}  // namespace millrace::detail
