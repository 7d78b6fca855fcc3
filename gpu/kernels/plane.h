#pragma once
// Types that the launches of all kinds of kernels share. Their element functions are compiled for
// host and device from one source, and follow the formulas of nn's reference engine.
//
// Images are [pixels][padded channels]: `Plane` says how many rows there are, how many channels
// count and how many are stored. Stored channels beyond those that count are zero in everything
// that a kernel here writes, whatever it read there. `Type` is the storage type of activations and
// gradients: f32, f16 or bf16; arithmetic is float32.

#include <millrace/core/shape.h>
#include <millrace/gpu/launch.h>

#include <algorithm>
#include <cstdint>

namespace millrace::gpu {

using Type = DType;

/// Rows of channels: an image batch is samples * height * width rows, features are one row a
/// sample.
struct Plane {
  std::int64_t rows = 0;
  std::int64_t channels = 0;  ///< that count
  std::int64_t stored = 0;    ///< >= channels
  [[nodiscard]] std::int64_t elements() const { return rows * stored; }
};

/// Fixed parts of rows that are added up by themselves: partial sums are float32
/// [sum_parts(rows)][stored]. Enough to fill a GPU, few enough to be added up in no time.
[[nodiscard]] inline std::int64_t sum_parts(std::int64_t rows) noexcept {
  constexpr std::int64_t kRowsOfPart = 128, kMostParts = 512;
  return std::clamp((rows + kRowsOfPart - 1) / kRowsOfPart, std::int64_t{1}, kMostParts);
}

}  // namespace millrace::gpu
