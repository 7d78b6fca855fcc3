#pragma once
// Batch normalisation and its gradient. Parameters and statistics are float32, [stored] each.

#include <millrace/gpu/kernels/plane.h>
#include <millrace/gpu/scalars.h>

#include <cstdint>

namespace millrace::gpu {

struct NormConstants {
  float momentum = 0, epsilon = 0;
  bool biased_variance = false;
  std::int64_t pixels = 1;  ///< rows of a sample: valid rows are scalars->samples * pixels
};
/// Mean, then variance around it, each in two launches: partials float32 [sum_parts][stored].
[[nodiscard]] Launch norm_sums(Type type, const void* x, float* partials, const Plane& plane,
                               const NormConstants& constants, const Scalars* scalars);
[[nodiscard]] Launch norm_mean(const float* partials, float* mean, const Plane& plane,
                               const NormConstants& constants, const Scalars* scalars);
[[nodiscard]] Launch norm_squares(Type type, const void* x, const float* mean, float* partials,
                                  const Plane& plane, const NormConstants& constants,
                                  const Scalars* scalars);
/// Also updates the running statistics.
[[nodiscard]] Launch norm_variance(const float* partials, const float* mean, float* variance,
                                   float* running_mean, float* running_variance, const Plane& plane,
                                   const NormConstants& constants, const Scalars* scalars);
/// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, with either kind of statistics; then
/// max(y, 0) if `relu`.
[[nodiscard]] Launch norm_apply(Type type, const void* x, const float* mean, const float* variance,
                                const float* gamma, const float* beta, void* y, const Plane& plane,
                                const NormConstants& constants, bool relu);
/// Sums of dy and of dy * normalised x: partials float32 [2][sum_parts][stored]; then dgamma and
/// dbeta of `type`, and both sums as float32 [2][stored] for the last one.
[[nodiscard]] Launch norm_backward_sums(Type type, const void* dy, const void* x, const float* mean,
                                        const float* variance, float* partials, const Plane& plane,
                                        const NormConstants& constants, const Scalars* scalars);
[[nodiscard]] Launch norm_backward_totals(Type type, const float* partials, float* sums,
                                          void* dgamma, void* dbeta, const Plane& plane);
/// Rows that are not valid get zero.
[[nodiscard]] Launch norm_backward(Type type, const void* dy, const void* x, const float* mean,
                                   const float* variance, const float* gamma, const float* sums,
                                   void* dx, const Plane& plane, const NormConstants& constants,
                                   const Scalars* scalars);
/// Running statistics as constants: dx = dy * gamma / sqrt(running_variance + epsilon).
[[nodiscard]] Launch frozen_norm_backward(Type type, const void* dy, const float* gamma,
                                          const float* running_variance, void* dx,
                                          const Plane& plane, const NormConstants& constants);

}  // namespace millrace::gpu
