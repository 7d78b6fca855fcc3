#pragma once
// BMP files as Pillow reads them: headers of Windows and OS/2, palettes, RGB of 16, 24 and 32 bits
// with the usual masks, runs (RLE4, RLE8). What Pillow refuses or misreads is refused by name.

#include <millrace/io/detail/raster.h>

#include <cstddef>
#include <span>

namespace millrace::detail {

/// Reads the header only. Throws Error without the file's name.
[[nodiscard]] RasterHeader bmp_header(std::span<const std::byte> file, Transparency transparency);

/// 1 channel where the palette is grey, otherwise 3, or 4 where a mask of alpha is kept. Throws
/// Error, std::bad_alloc.
[[nodiscard]] Raster bmp_decode(std::span<const std::byte> file, std::size_t max_bytes,
                                Transparency transparency);

}  // namespace millrace::detail
