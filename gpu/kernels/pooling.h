#pragma once
// Pooling over windows, which may lie over padding in part, and over whole images.

#include <millrace/gpu/kernels/plane.h>
#include <millrace/nn/window.h>

#include <cstdint>

namespace millrace::gpu {

struct Pooling {
  std::int64_t samples = 0, height = 0, width = 0, stored = 0;
  std::int64_t out_height = 0, out_width = 0;
  nn::Pair size{2}, stride{2};
  std::int64_t top = 0, left = 0;
  /// Averages: padding, up to this many pixels below and to the right, is counted as zeros.
  bool count_padding = false;
  std::int64_t bottom = 0, right = 0;
  /// Averages: the image is divided into as many parts as there are outputs, without a window; see
  /// nn::adaptive_stretches().
  bool adaptive = false;
};
/// `winners` [output] u8: the place of the first maximum in the window, row-major; or null.
[[nodiscard]] Launch max_pool_forward(Type type, const void* x, void* y, std::uint8_t* winners,
                                      const Pooling& size);
/// Gathers: every element of dx is written once, its windows in a fixed order.
[[nodiscard]] Launch max_pool_backward(Type type, const void* dy, const std::uint8_t* winners,
                                       void* dx, const Pooling& size);
[[nodiscard]] Launch avg_pool_forward(Type type, const void* x, void* y, const Pooling& size);
[[nodiscard]] Launch avg_pool_backward(Type type, const void* dy, void* dx, const Pooling& size);
/// [samples][pixels][stored] <-> [samples][stored].
[[nodiscard]] Launch global_avg_pool_forward(Type type, const void* x, void* y,
                                             std::int64_t samples, std::int64_t pixels,
                                             std::int64_t stored);
[[nodiscard]] Launch global_avg_pool_backward(Type type, const void* dy, void* dx,
                                              std::int64_t samples, std::int64_t pixels,
                                              std::int64_t stored);

}  // namespace millrace::gpu
