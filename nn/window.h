#pragma once
// How a sliding window lies on one dimension of an image: the arithmetic that convolutions and
// poolings of all engines share.

#include <cstdint>

namespace millrace::nn {

/// valid: no padding. same: output = ceil(input / stride), padding split as TensorFlow does, the
/// odd one at the bottom and right.
enum class Padding { valid, same };
[[nodiscard]] const char* to_string(Padding padding) noexcept;

/// Positions of a window and the pixels that it needs beyond each end.
struct Window {
  std::int64_t output = 0;  ///< how many positions; 0 when the window does not fit
  std::int64_t before = 0;  ///< padding at the top or left
  std::int64_t after = 0;   ///< padding at the bottom or right; never less than `before`
};

/// `same` follows TensorFlow: output = ceil(extent / stride), and the odd pixel of padding goes to
/// the end (tensorflow.org/api_docs/python/tf/nn, "Notes on padding"). Requires positive arguments.
[[nodiscard]] Window window(std::int64_t extent, std::int64_t size, std::int64_t stride,
                            Padding padding) noexcept;

}  // namespace millrace::nn
