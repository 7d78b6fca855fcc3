#pragma once
// Changes the size of images: zeros around them, or repeated pixels.

#include <millrace/gpu/kernels/plane.h>

#include <cstdint>

namespace millrace::gpu {

/// [samples][height][width][stored] -> [samples][out_height][out_width][stored]: the pixel that
/// lies `down` rows above and `right` columns to the left, or zero if the image has none.
struct Shift {
  std::int64_t samples = 0, channels = 0, stored = 0;
  std::int64_t height = 0, width = 0, out_height = 0, out_width = 0;
  std::int64_t down = 0, right = 0;  ///< negative: up, left
};
[[nodiscard]] Launch shift(Type type, const void* x, void* y, const Shift& how);

/// [samples][height][width][stored] -> [samples][height * rows][width * columns][stored]: each row
/// `rows` times, each column `columns` times. And back, for gradients: sums of such.
struct Upsampling {
  std::int64_t samples = 0, height = 0, width = 0, channels = 0, stored = 0;
  std::int64_t rows = 1, columns = 1;
};
[[nodiscard]] Launch upsample(Type type, const void* x, void* y, const Upsampling& size);
[[nodiscard]] Launch upsample_backward(Type type, const void* dy, void* dx, const Upsampling& size);

}  // namespace millrace::gpu
