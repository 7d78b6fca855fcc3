#pragma once
// What the launches of all kinds of kernels speak of. The element functions behind them are
// compiled for host and device from one source, and stand for the formulas of nn's reference
// engine.
//
// Images are [pixels][padded channels]: `Plane` says how many rows there are, how many channels
// count and how many are stored. Stored channels beyond those that count are zero in everything
// that a kernel here writes, whatever it read there. `Type` is the storage type of activations and
// gradients: f32, f16 or bf16; arithmetic is float32.

#include <millrace/core/shape.h>
#include <millrace/gpu/launch.h>

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

}  // namespace millrace::gpu
