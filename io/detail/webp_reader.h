#pragma once
// WebP by libwebp: lossy, lossless, with alpha; of an animation the first frame, on its canvas.

#include <millrace/io/detail/raster.h>

namespace millrace::detail {

/// The canvas: 4 channels if the file says that it has alpha, or the image's own data do where that
/// is kept, else 3. Throws Error.
[[nodiscard]] RasterHeader webp_header(std::span<const std::byte> file, Transparency transparency);

/// Parts of the file, empty if it has none. Throws Error.
struct WebpMetadata {
  std::span<const std::byte> exif, xmp;
};
[[nodiscard]] WebpMetadata webp_metadata(std::span<const std::byte> file);

/// Decodes as Pillow does: the options are libwebp's defaults, alpha is straight, and what a first
/// frame that is smaller than the canvas leaves free is black and transparent. Throws Error,
/// std::bad_alloc.
[[nodiscard]] Raster webp_decode(std::span<const std::byte> file, std::size_t max_bytes,
                                 Transparency transparency);

}  // namespace millrace::detail
