#pragma once
// The loops of convolution and pooling, written once for all their passes.

#include <millrace/nn/reference/ops.h>

#include <algorithm>

namespace millrace::nn::reference {

/// Calls body(n, oy, ox) for each position of the window.
template <class Body>
void for_each_position(const Sliding& s, Body body) {
  for (std::int64_t n = 0; n < s.samples; ++n) {
    for (std::int64_t oy = 0; oy < s.out_height; ++oy) {
      for (std::int64_t ox = 0; ox < s.out_width; ++ox) body(n, oy, ox);
    }
  }
}

/// Calls body(y, x, row, column) for each pixel (y, x) of the image under the window at (oy, ox),
/// with its place in the window; pixels of the padding are left out.
template <class Body>
void for_each_pixel(const Sliding& s, std::int64_t oy, std::int64_t ox, Body body) {
  for (std::int64_t row = 0; row < s.rows; ++row) {
    const std::int64_t y = oy * s.stride + row - s.top;
    if (y < 0 || y >= s.height) continue;
    for (std::int64_t column = 0; column < s.columns; ++column) {
      const std::int64_t x = ox * s.stride + column - s.left;
      if (x >= 0 && x < s.width) body(y, x, row, column);
    }
  }
}

/// Index of channel 0 of a pixel of the input, or of the output.
inline std::int64_t input_at(const Sliding& s, std::int64_t n, std::int64_t y, std::int64_t x) {
  return ((n * s.height + y) * s.width + x) * s.channels;
}
inline std::int64_t output_at(const Sliding& s, std::int64_t n, std::int64_t oy, std::int64_t ox) {
  return ((n * s.out_height + oy) * s.out_width + ox) * s.filters;
}

/// Calls body(x index, w index, y index) for each product of a convolution; the three passes are
/// y += x w, dx += dy w and dw += dy x over the same triples.
template <class Body>
void for_each_product(const Sliding& s, Body body) {
  for_each_position(s, [&](std::int64_t n, std::int64_t oy, std::int64_t ox) {
    const std::int64_t out = output_at(s, n, oy, ox);
    for_each_pixel(
        s, oy, ox, [&](std::int64_t y, std::int64_t x, std::int64_t row, std::int64_t column) {
          const std::int64_t in = input_at(s, n, y, x);
          for (std::int64_t f = 0; f < s.filters; ++f) {
            for (std::int64_t c = 0; c < s.channels; ++c) {
              body(in + c, ((f * s.channels + c) * s.rows + row) * s.columns + column, out + f);
            }
          }
        });
  });
}

/// How many pixels of the image lie under the window: what an average divides by.
inline double pixels_under(const Sliding& s, std::int64_t oy, std::int64_t ox) {
  const auto covered = [&](std::int64_t first, std::int64_t size, std::int64_t extent) {
    return std::min(first + size, extent) - std::max<std::int64_t>(first, 0);
  };
  return static_cast<double>(covered(oy * s.stride - s.top, s.rows, s.height) *
                             covered(ox * s.stride - s.left, s.columns, s.width));
}

}  // namespace millrace::nn::reference
