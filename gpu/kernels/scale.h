#pragma once
// One factor a channel, and its gradient. Factors are float32, [stored].

#include <millrace/gpu/kernels/plane.h>
#include <millrace/gpu/scalars.h>

#include <cstdint>

namespace millrace::gpu {

/// y = x * factors[c]. y may be x. With dy for x: dx.
[[nodiscard]] Launch scale_channels(Type type, const void* x, const float* factors, void* y,
                                    const Plane& plane);
/// Sums of dy * x over the valid rows, scalars->samples * pixels: partials float32
/// [sum_parts][stored]; column_totals() makes the gradient of them.
[[nodiscard]] Launch scale_gradient_sums(Type type, const void* dy, const void* x, float* partials,
                                         const Plane& plane, std::int64_t pixels,
                                         const Scalars* scalars);

}  // namespace millrace::gpu
