#pragma once
// Images of another size: zeros around them.

#include <millrace/gpu/kernels/plane.h>

#include <cstdint>

namespace millrace::gpu {

/// [samples][height][width][stored] -> [samples][out_height][out_width][stored]: the pixel that
/// lies `down` rows above and `right` columns to the left, or zero where the image has none.
struct Shift {
  std::int64_t samples = 0, channels = 0, stored = 0;
  std::int64_t height = 0, width = 0, out_height = 0, out_width = 0;
  std::int64_t down = 0, right = 0;  ///< negative: up, left
};
[[nodiscard]] Launch shift(Type type, const void* x, void* y, const Shift& how);

}  // namespace millrace::gpu
