#pragma once
// The orientation in the metadata of an image, by Pillow's rules: a directory of tags as TIFF has
// it, which EXIF is too, and where that has no such tag, XMP.

#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace::detail {

/// What a damaged or made-up file says is bounded by its size: nothing here throws, allocates or
/// reads beyond the spans. 1 stands for all that is not 2 to 8.

/// Of what follows "Exif\0\0", which may also stand before it; where it is empty or has no
/// orientation, that of `xmp`. 1 where the head of `exif` is none: Pillow gives up there.
[[nodiscard]] int orientation_of(std::span<const std::byte> exif,
                                 std::span<const std::byte> xmp) noexcept;

/// Of the first directory of a TIFF file, classic or BigTIFF: its tag, or the XMP in it.
[[nodiscard]] int tiff_orientation(std::span<const std::byte> file) noexcept;

}  // namespace millrace::detail
