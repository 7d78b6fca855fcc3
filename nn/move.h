#pragma once
// Moves of images that change no pixel, which devices apply while they read an image.

#include <cstdint>

namespace millrace::nn {

/// How an image is moved before it is normalised: what is read begins at (top, left) of it and may
/// lie outside, where `fill` is read; then it is mirrored. The padded random crop and the flips of
/// augmentation.
struct Move {
  std::int16_t top = 0, left = 0;
  std::uint8_t mirrors_columns = 0;  ///< 1: left and right
  std::uint8_t mirrors_rows = 0;     ///< 1: top and bottom
  std::uint8_t fill = 0;
};

}  // namespace millrace::nn
