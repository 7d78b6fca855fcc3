#pragma once
// Layer normalisation and its gradient. Parameters are float32 [stored]; statistics of rows
// are float32 [rows].

#include <millrace/gpu/kernels/plane.h>
#include <millrace/gpu/scalars.h>

#include <cstdint>

namespace millrace::gpu {

/// Of each row: the mean of its channels, and 1 / sqrt(variance + epsilon).
[[nodiscard]] Launch layer_norm_moments(Type type, const void* x, float* mean, float* inverse,
                                        const Plane& plane, float epsilon);
/// y = (x - mean) * inverse * gamma + beta. y may be x.
[[nodiscard]] Launch layer_norm_apply(Type type, const void* x, const float* mean,
                                      const float* inverse, const float* gamma, const float* beta,
                                      void* y, const Plane& plane);

/// What a gradient is made of. The first scalars->samples * pixels rows are valid.
struct LayerNormGradient {
  const void* dy = nullptr;
  const void* x = nullptr;
  const float* mean = nullptr;
  const float* inverse = nullptr;
  const float* gamma = nullptr;  ///< not for the columns
  const Scalars* scalars = nullptr;
  std::int64_t pixels = 1;
};
/// Of each row, float32 [2][rows]: the means of gamma dy, and of that times the normalised x.
[[nodiscard]] Launch layer_norm_row_sums(Type type, const LayerNormGradient& of, float* sums,
                                         const Plane& plane);
/// From those sums; rows that are not valid get zero. dx may be dy.
[[nodiscard]] Launch layer_norm_backward(Type type, const LayerNormGradient& of, const float* sums,
                                         void* dx, const Plane& plane);
/// Sums of dy and of dy times the normalised x over the valid rows: partials float32
/// [2][sum_parts][stored], for norm_backward_totals().
[[nodiscard]] Launch layer_norm_column_sums(Type type, const LayerNormGradient& of, float* partials,
                                            const Plane& plane);

}  // namespace millrace::gpu
