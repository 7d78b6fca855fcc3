#include <millrace/gpu/kernels.h>
#include <millrace/gpu/kernels/arguments.h>
#include <millrace/gpu/kernels/batch_norm.h>
#include <millrace/gpu/kernels/column_launches.h>

namespace millrace::gpu {
namespace {

ValidRows valid_rows(const char* kernel, const NormConstants& constants, const Scalars* scalars) {
  MILLRACE_CHECK(constants.pixels > 0, kernel, ": a sample has no rows");
  return {scalars, constants.pixels};
}

template <bool kSquares>
Launch columns(const char* name, Type type, const void* x, const float* mean, float* partials,
               const Plane& plane, const NormConstants& constants, const Scalars* scalars) {
  check_plane(name, type, plane);
  check_memory(name, {x, partials});
  return with_type(type,
                   [&]<class T>() {
                     return part_sums(
                         name,
                         NormColumns<T, kSquares>{.x = static_cast<const T*>(x),
                                                  .mean = mean,
                                                  .valid = valid_rows(name, constants, scalars),
                                                  .channels = plane.channels,
                                                  .stored = plane.stored},
                         plane, partials);
                   })
      .reads(x, bytes_of(type, plane.elements()))
      .reads(scalars, sizeof(Scalars));
}

}  // namespace

Launch norm_sums(Type type, const void* x, float* partials, const Plane& plane,
                 const NormConstants& constants, const Scalars* scalars) {
  return columns<false>("norm_sums", type, x, nullptr, partials, plane, constants, scalars);
}

Launch norm_mean(const float* partials, float* mean, const Plane& plane,
                 const NormConstants& constants, const Scalars* scalars) {
  check_plane("norm_mean", Type::f32, plane);
  check_memory("norm_mean", {partials, mean});
  return total_sums("norm_mean",
                    NormMean{mean, valid_rows("norm_mean", constants, scalars), plane.channels},
                    plane, partials)
      .reads(scalars, sizeof(Scalars))
      .writes(mean, float_bytes(plane.stored));
}

Launch norm_squares(Type type, const void* x, const float* mean, float* partials,
                    const Plane& plane, const NormConstants& constants, const Scalars* scalars) {
  check_memory("norm_squares", {mean});
  return columns<true>("norm_squares", type, x, mean, partials, plane, constants, scalars)
      .reads(mean, float_bytes(plane.stored));
}

Launch norm_variance(const float* partials, const float* mean, float* variance, float* running_mean,
                     float* running_variance, const Plane& plane, const NormConstants& constants,
                     const Scalars* scalars) {
  check_plane("norm_variance", Type::f32, plane);
  check_memory("norm_variance", {partials, mean, variance, running_mean, running_variance});
  const std::size_t bytes = float_bytes(plane.stored);
  return total_sums("norm_variance",
                    NormVariance{.mean = mean,
                                 .variance = variance,
                                 .running_mean = running_mean,
                                 .running_variance = running_variance,
                                 .momentum = constants.momentum,
                                 .rest = static_cast<float>(1 - double{constants.momentum}),
                                 .is_biased = constants.biased_variance,
                                 .valid = valid_rows("norm_variance", constants, scalars),
                                 .channels = plane.channels},
                    plane, partials)
      .reads(mean, bytes)
      .reads(running_mean, bytes)
      .reads(running_variance, bytes)
      .reads(scalars, sizeof(Scalars))
      .writes(variance, bytes)
      .writes(running_mean, bytes)
      .writes(running_variance, bytes);
}

Launch norm_apply(Type type, const void* x, const float* mean, const float* variance,
                  const float* gamma, const float* beta, void* y, const Plane& plane,
                  const NormConstants& constants, bool relu) {
  check_plane("norm_apply", type, plane);
  check_memory("norm_apply", {x, mean, variance, gamma, beta, y});
  const std::size_t bytes = float_bytes(plane.stored);
  return with_type(type,
                   [&]<class T>() {
                     return launch_of("norm_apply",
                                      NormApply<T>{.x = static_cast<const T*>(x),
                                                   .y = static_cast<T*>(y),
                                                   .mean = mean,
                                                   .variance = variance,
                                                   .gamma = gamma,
                                                   .beta = beta,
                                                   .channels = plane.channels,
                                                   .stored = plane.stored,
                                                   .epsilon = constants.epsilon,
                                                   .relu = relu},
                                      plane.elements() / kChunk<T>);
                   })
      .reads(x, bytes_of(type, plane.elements()))
      .reads(mean, bytes)
      .reads(variance, bytes)
      .reads(gamma, bytes)
      .reads(beta, bytes)
      .writes(y, bytes_of(type, plane.elements()));
}

Launch norm_backward_sums(Type type, const void* dy, const void* x, const float* mean,
                          const float* variance, float* partials, const Plane& plane,
                          const NormConstants& constants, const Scalars* scalars) {
  check_plane("norm_backward_sums", type, plane);
  check_memory("norm_backward_sums", {dy, x, mean, variance, partials});
  return with_type(type,
                   [&]<class T>() {
                     return part_sums(
                         "norm_backward_sums",
                         NormGradientColumns<T>{
                             .dy = static_cast<const T*>(dy),
                             .x = static_cast<const T*>(x),
                             .mean = mean,
                             .variance = variance,
                             .epsilon = constants.epsilon,
                             .valid = valid_rows("norm_backward_sums", constants, scalars),
                             .channels = plane.channels,
                             .stored = plane.stored},
                         plane, partials);
                   })
      .reads(dy, bytes_of(type, plane.elements()))
      .reads(x, bytes_of(type, plane.elements()))
      .reads(mean, float_bytes(plane.stored))
      .reads(variance, float_bytes(plane.stored))
      .reads(scalars, sizeof(Scalars));
}

Launch norm_backward_totals(Type type, const float* partials, float* sums, void* dgamma,
                            void* dbeta, const Plane& plane) {
  check_plane("norm_backward_totals", type, plane);
  check_memory("norm_backward_totals", {partials, sums, dgamma, dbeta});
  return with_type(type,
                   [&]<class T>() {
                     return total_sums("norm_backward_totals",
                                       NormGradientTotals<T>{sums, static_cast<T*>(dgamma),
                                                             static_cast<T*>(dbeta), plane.channels,
                                                             plane.stored},
                                       plane, partials);
                   })
      .writes(sums, float_bytes(2 * plane.stored))
      .writes(dgamma, bytes_of(type, plane.stored))
      .writes(dbeta, bytes_of(type, plane.stored));
}

Launch norm_backward(Type type, const void* dy, const void* x, const float* mean,
                     const float* variance, const float* gamma, const float* sums, void* dx,
                     const Plane& plane, const NormConstants& constants, const Scalars* scalars) {
  check_plane("norm_backward", type, plane);
  check_memory("norm_backward", {dy, x, mean, variance, gamma, sums, dx});
  const std::size_t bytes = float_bytes(plane.stored);
  return with_type(type,
                   [&]<class T>() {
                     return launch_of(
                         "norm_backward",
                         NormGradient<T>{.dy = static_cast<const T*>(dy),
                                         .x = static_cast<const T*>(x),
                                         .dx = static_cast<T*>(dx),
                                         .mean = mean,
                                         .variance = variance,
                                         .gamma = gamma,
                                         .sums = sums,
                                         .epsilon = constants.epsilon,
                                         .valid = valid_rows("norm_backward", constants, scalars),
                                         .channels = plane.channels,
                                         .stored = plane.stored},
                         plane.elements() / kChunk<T>);
                   })
      .reads(dy, bytes_of(type, plane.elements()))
      .reads(x, bytes_of(type, plane.elements()))
      .reads(mean, bytes)
      .reads(variance, bytes)
      .reads(gamma, bytes)
      .reads(sums, 2 * bytes)
      .reads(scalars, sizeof(Scalars))
      .writes(dx, bytes_of(type, plane.elements()));
}

Launch frozen_norm_backward(Type type, const void* dy, const float* gamma,
                            const float* running_variance, void* dx, const Plane& plane,
                            const NormConstants& constants) {
  check_plane("frozen_norm_backward", type, plane);
  check_memory("frozen_norm_backward", {dy, gamma, running_variance, dx});
  return with_type(type,
                   [&]<class T>() {
                     return launch_of("frozen_norm_backward",
                                      FrozenNormGradient<T>{.dy = static_cast<const T*>(dy),
                                                            .dx = static_cast<T*>(dx),
                                                            .gamma = gamma,
                                                            .variance = running_variance,
                                                            .epsilon = constants.epsilon,
                                                            .channels = plane.channels,
                                                            .stored = plane.stored},
                                      plane.elements() / kChunk<T>);
                   })
      .reads(dy, bytes_of(type, plane.elements()))
      .reads(gamma, float_bytes(plane.stored))
      .reads(running_variance, float_bytes(plane.stored))
      .writes(dx, bytes_of(type, plane.elements()));
}

}  // namespace millrace::gpu
