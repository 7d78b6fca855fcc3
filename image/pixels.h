#pragma once
// Conversions between the kinds of pixels that decoders give and the 1 or 3 channels that models
// take, a row at a time, with Pillow's integer formulas (libImaging/Convert.c).

#include <millrace/core/colour.h>
#include <millrace/core/shape.h>

#include <cstdint>

namespace millrace {

/// Converts `width` pixels of `from` channels to `to` channels (1 or 3). Channels mean: 1 grey,
/// 2 grey and alpha, 3 RGB, 4 RGB and alpha. Alpha is dropped, not blended, as Pillow does. Grey is
/// ITU-R 601 luma: (19595 R + 38470 G + 7471 B + 32768) >> 16. In-place when from == to or
/// when `to` is smaller. Requires: 1 <= from <= 4.
void convert_row(const std::uint8_t* source, int from, std::uint8_t* target, int to, int width);

/// Puts `width` pixels of `from` channels, 2 or 4, straight alpha the last of them, on a background
/// and makes them RGB (`to` is 3) or the grey of that (1). A sample is
/// (source * alpha + background * (255 - alpha)) / 255, rounded: Pillow's alpha_composite() on an
/// opaque image, and its paste() with alpha as the mask, which is the same. In-place when `to` is
/// smaller than `from`.
void compose_row(const std::uint8_t* source, int from, const Colour& background,
                 std::uint8_t* target, int to, int width);

/// CMYK to RGB without profiles: channel = K' - C K'/255, with K' = 255 - K, rounded. `inverted`
/// is how Adobe writes CMYK JPEG files: 255 means no ink. In-place is allowed.
void convert_cmyk_row(const std::uint8_t* cmyk, bool inverted, std::uint8_t* rgb, int width);

/// Where to write an image as bytes that is to become one of floats in the same memory: the last
/// quarter of it. Requires: f32.
[[nodiscard]] TensorView bytes_within(const TensorView& floats);
/// Makes the bytes that were written there floats, 0 to 255, from the front: the float that is
/// written ends before the byte that is read next (4 i + 3 < 3 n + i + 1 for all i < n), so no
/// other memory is needed.
void spread_bytes(const TensorView& floats);

}  // namespace millrace
