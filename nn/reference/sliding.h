#pragma once
// The loops of convolution and pooling, written once for all their passes.

#include <millrace/nn/reference/call.h>
#include <millrace/nn/window.h>

namespace millrace::nn::reference {

/// A window that slides over an image.
struct Sliding {
  std::int64_t samples = 0, height = 0, width = 0, channels = 0;
  std::int64_t out_height = 0, out_width = 0, filters = 0;
  Pair size{1}, stride{1}, dilation{1};
  std::int64_t top = 0, left = 0;  ///< padding

  /// Index of channel 0 of a pixel of the input, or of the output.
  [[nodiscard]] std::int64_t input_at(std::int64_t n, std::int64_t y, std::int64_t x) const {
    return ((n * height + y) * width + x) * channels;
  }
  [[nodiscard]] std::int64_t output_at(std::int64_t n, std::int64_t oy, std::int64_t ox) const {
    return ((n * out_height + oy) * out_width + ox) * filters;
  }

  /// Calls body(n, oy, ox) for each position of the window.
  template <class Body>
  void for_each_position(Body body) const {
    for (std::int64_t n = 0; n < samples; ++n) {
      for (std::int64_t oy = 0; oy < out_height; ++oy) {
        for (std::int64_t ox = 0; ox < out_width; ++ox) body(n, oy, ox);
      }
    }
  }

  /// Calls body(y, x, row, column) for each pixel (y, x) of the image under the window at (oy, ox),
  /// with its place in the window; pixels of the padding are left out.
  template <class Body>
  void for_each_pixel(std::int64_t oy, std::int64_t ox, Body body) const {
    for (std::int64_t row = 0; row < size.rows; ++row) {
      const std::int64_t y = oy * stride.rows + row * dilation.rows - top;
      if (y < 0 || y >= height) continue;
      for (std::int64_t column = 0; column < size.columns; ++column) {
        const std::int64_t x = ox * stride.columns + column * dilation.columns - left;
        if (x >= 0 && x < width) body(y, x, row, column);
      }
    }
  }
};

/// The window of a layer.
template <class Real>
[[nodiscard]] Sliding sliding(const BasicCall<Real>& call, const SlidingWindow& window) {
  const auto [down, across] = place(window, call.input()[0], call.input()[1]);
  return {.samples = call.samples,
          .height = call.input()[0],
          .width = call.input()[1],
          .channels = call.input()[2],
          .out_height = call.output[0],
          .out_width = call.output[1],
          .filters = call.output[2],
          .size = window.size,
          .stride = window.stride,
          .dilation = window.dilation,
          .top = down.before,
          .left = across.before};
}

/// Means over parts of an image, which may overlap, and the gradient of them.
template <class Real>
void average(const BasicCall<Real>& call, const Stretches& parts);
template <class Real>
void average_backward(const BasicCall<Real>& call, const Stretches& parts);

}  // namespace millrace::nn::reference
