#pragma once
// The inner loops of a resize, vectorised for the processor that runs them. Integer arithmetic:
// the same bytes on every processor. Used by Resizer only.

#include <millrace/image/filter_table.h>

#include <cstdint>
#include <span>

namespace millrace::resample {

/// Bytes that may be read after the end of a row given to the functions below.
constexpr std::size_t kRowPadding = 32;

/// out[x] for x in [0, table.out): weighted sums of a row of one sample a pixel.
/// Requires: table.lanes == 1; table.in bytes in `row` and readable_bytes(table) in all.
void horizontal_gray(const std::uint8_t* row, const FilterTable& table, std::uint8_t* out);

/// The same for three samples a pixel, read from a row with four bytes a pixel (the fourth is
/// ignored) and written without gaps. Requires: table.lanes == 4; `row` as above with 4 * table.in
/// bytes; one more byte may be written after out[3 * table.out].
void horizontal_rgbx(const std::uint8_t* row, const FilterTable& table, std::uint8_t* out);

/// Bytes of a row that the two functions above may read. They multiply what comes after the pixels
/// with weights of zero.
[[nodiscard]] inline std::size_t readable_bytes(const FilterTable& table) noexcept {
  return static_cast<std::size_t>(table.in) * static_cast<std::size_t>(table.lanes) + table.stride +
         kRowPadding;
}

/// out[i] for i in [0, bytes): weighted sums over rows[t][i].
/// Requires: every row has `bytes` bytes and kRowPadding more.
void vertical(std::span<const std::uint8_t* const> rows, const std::int32_t* weights,
              std::uint8_t* out, std::size_t bytes);

/// Three bytes a pixel to four. The fourth is undefined.
void widen_rgb(const std::uint8_t* rgb, int width, std::uint8_t* rgbx);

}  // namespace millrace::resample
