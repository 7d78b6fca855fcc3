#pragma once
// The unit of work of a batch normalisation's loops: a few channels of all rows of a thread.

#include <cstddef>
#include <cstdint>

namespace millrace::cpu {

/// Channels [0, width) of the pixels of rows, as they lie in memory.
struct NormStrip {
  std::int64_t rows = 0, samples = 0;  ///< valid ones, and all
  std::int64_t pixels = 0;
  std::int64_t width = 0, stride = 0, sample_stride = 0;
};
inline constexpr std::size_t kWidestStrip = 64;  ///< a few vectors

/// A normalisation's constants from the strip's first channel on; they lie `padded` apart.
struct StripConstants {
  const float* at = nullptr;
  std::int64_t padded = 0;
  float ceiling = 0;  ///< of the rectifier after it; 0: there is none

  [[nodiscard]] const float* mean() const { return at; }
  [[nodiscard]] const float* inverse() const { return at + padded; }
  [[nodiscard]] const float* factor() const { return at + 2 * padded; }
  [[nodiscard]] const float* shift() const { return at + 3 * padded; }
};

}  // namespace millrace::cpu
