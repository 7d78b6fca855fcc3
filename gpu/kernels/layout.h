#pragma once
// Between rows of padded channels, tightly packed memory, and features.

#include <millrace/gpu/kernels/plane.h>

#include <cstdint>

namespace millrace::gpu {

/// [rows][stored] of any type to float32 [rows][channels], tightly packed, and back.
[[nodiscard]] Launch unpack(Type type, const void* x, float* y, const Plane& plane);
[[nodiscard]] Launch pack(Type type, const float* x, void* y, const Plane& plane);
/// [samples][pixels][stored] -> [samples][width], features in the order of pixels, then channels
/// that count; width >= pixels * channels. And back, for gradients.
struct Flattening {
  std::int64_t samples = 0, pixels = 0, channels = 0, stored = 0, width = 0;
};
[[nodiscard]] Launch flatten(Type type, const void* x, void* y, const Flattening& size);
[[nodiscard]] Launch unflatten(Type type, const void* dy, void* dx, const Flattening& size);

}  // namespace millrace::gpu
