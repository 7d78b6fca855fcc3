#pragma once
// Makes the input of steps from uploaded pixels or from those resident on the device.

#include <millrace/gpu/kernels/plane.h>
#include <millrace/nn/move.h>

#include <cstdint>

namespace millrace::gpu {

/// factor and offset are float32 [channels] on the device. `swaps`: channel 2 - c is read for c.
struct NormalizeArguments {
  const float* factor = nullptr;
  const float* offset = nullptr;
  bool swaps = false;
};
/// y = x * factor[c] + offset[c]; x is `from` (u8 or f32) [rows][channels], tightly packed.
[[nodiscard]] Launch normalize(Type from, Type to, const void* x, void* y, const Plane& plane,
                               const NormalizeArguments& how);
/// The same for samples that lie here and there: sample n of y is sample rows[n] of x, which is
/// [all][plane.rows / samples][channels]. Requires: rows[n] < all.
struct Gathering {
  const std::uint32_t* rows = nullptr;  ///< [samples], on the device
  std::int64_t samples = 0, all = 0;
  /// [samples], on the device: samples are images so wide that are moved; null: they stay.
  const nn::Move* moves = nullptr;
  std::int64_t width = 0;
};
[[nodiscard]] Launch gather(Type from, Type to, const void* x, const Gathering& size, void* y,
                            const Plane& plane, const NormalizeArguments& how);

}  // namespace millrace::gpu
