#pragma once
// The orientation of an image file, before any of its pixels is decoded.

#include <millrace/io/detail/format.h>

#include <cstddef>
#include <span>

namespace millrace::detail {

/// 1 to 8, as Pillow's ImageOps.exif_transpose finds it: the tag of EXIF (in JPEG, PNG and WebP) or
/// of the first directory (TIFF); without that tag the orientation in XMP. 1 also for what is
/// damaged, of another type, or out of range, and for formats that have none. Throws nothing but
/// std::bad_alloc: what is wrong with the file, its decoder says.
///
/// Looks at the heads of parts alone, of a JPEG up to the first scan. Allocates nothing but, for
/// EXIF of a JPEG in several parts, twice their bytes, and for packed texts of a PNG, of at most
/// 1 MiB each, 6 MiB. Thread-safe.
[[nodiscard]] int exif_orientation(Format format, std::span<const std::byte> file);

/// Of a PNG file: eXIf, before or after the pixels, or the texts that ImageMagick and others
/// write.
[[nodiscard]] int png_orientation(std::span<const std::byte> file);

/// Of a TIFF the orientation belongs to how its pixels are stored, and Pillow always looks at it.
[[nodiscard]] constexpr bool is_always_turned(Format format) noexcept {
  return format == Format::tiff;
}

}  // namespace millrace::detail
