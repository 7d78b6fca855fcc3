#pragma once
// Sums over the rows of a plane, such as the gradient of a bias.

#include <millrace/gpu/kernels/plane.h>

#include <cstdint>

namespace millrace::gpu {

/// Sums of columns in two launches: partials, then db (of `type`) in a fixed order. With `y`, dy is
/// first masked as in relu_backward and written to dx: one pass for both.
[[nodiscard]] Launch column_sums(Type type, const void* dy, const void* y, void* dx,
                                 float* partials, const Plane& plane);
[[nodiscard]] Launch column_totals(Type type, const float* partials, void* db, const Plane& plane);

}  // namespace millrace::gpu
