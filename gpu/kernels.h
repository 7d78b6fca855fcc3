#pragma once
// The engine's own kernels, for what is bound by memory: each function makes a Launch. The element
// functions behind them are in kernels/*.h, compiled for host and device from one source, and stand
// for the formulas of nn's reference engine.
//
// Images are [pixels][padded channels]: `Plane` says how many rows there are, how many channels
// count and how many are stored. Stored channels beyond those that count are zero in everything
// that a kernel here writes, whatever it read there. `Type` is the storage type of activations and
// gradients: f32, f16 or bf16; arithmetic is float32.

#include <millrace/core/shape.h>
#include <millrace/gpu/launch.h>
#include <millrace/gpu/scalars.h>
#include <millrace/nn/gradient.h>
#include <millrace/nn/loss.h>
#include <millrace/nn/loss_scale.h>
#include <millrace/nn/move.h>
#include <millrace/nn/optimizer.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace millrace::gpu {

using Type = DType;

/// Rows of channels: an image batch is samples * height * width rows, features are one row a
/// sample.
struct Plane {
  std::int64_t rows = 0;
  std::int64_t channels = 0;  ///< that count
  std::int64_t stored = 0;    ///< >= channels
  [[nodiscard]] std::int64_t elements() const { return rows * stored; }
};

/// Fixed parts for column sums: partials are float32 [parts(rows)][stored].
[[nodiscard]] std::int64_t sum_parts(std::int64_t rows) noexcept;
/// Fixed parts for sums over a whole arena, and over one parameter: partials are float64.
[[nodiscard]] std::int64_t arena_parts() noexcept;
[[nodiscard]] std::int64_t norm_parts() noexcept;

// ---- the input ----------------------------------------------------------------------------------
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
  /// [samples], on the device: samples are pictures so wide that are moved; null: they stay.
  const nn::Move* moves = nullptr;
  std::int64_t width = 0;
};
[[nodiscard]] Launch gather(Type from, Type to, const void* x, const Gathering& size, void* y,
                            const Plane& plane, const NormalizeArguments& how);
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

// ---- bias and activations -----------------------------------------------------------------------
/// y = x + b[c], then max(y, 0) if `relu`. y may be x.
[[nodiscard]] Launch add_bias(Type type, const void* x, const void* bias, void* y,
                              const Plane& plane, bool relu);
/// The same for logits, which are float32 beside a bias of `type`.
[[nodiscard]] Launch add_bias_to_float(Type type, const float* x, const void* bias, float* y,
                                       const Plane& plane);
[[nodiscard]] Launch relu_forward(Type type, const void* x, void* y, std::int64_t elements);
/// dx = y > 0 ? dy : 0; dx may be dy.
[[nodiscard]] Launch relu_backward(Type type, const void* dy, const void* y, void* dx,
                                   std::int64_t elements);
[[nodiscard]] Launch sigmoid_forward(Type type, const void* x, void* y, const Plane& plane);
[[nodiscard]] Launch sigmoid_backward(Type type, const void* dy, const void* y, void* dx,
                                      const Plane& plane);
/// Over the channels that count. `from` and `to`: storage type or f32 (the model's output).
[[nodiscard]] Launch softmax_forward(Type from, Type to, const void* x, void* y,
                                     const Plane& plane);
[[nodiscard]] Launch softmax_backward(Type type, const void* dy, const void* y, void* dx,
                                      const Plane& plane);
/// Sums of columns in two launches: partials, then db (of `type`) in a fixed order. With `y`, dy is
/// first masked as in relu_backward and written to dx: one pass for both.
[[nodiscard]] Launch column_sums(Type type, const void* dy, const void* y, void* dx,
                                 float* partials, const Plane& plane);
[[nodiscard]] Launch column_totals(Type type, const float* partials, void* db, const Plane& plane);
/// y = x / (1 - rate) where the mask of nn/dropout.h keeps, else 0. Forward and backward are the
/// same function. Elements of a sample are numbered as nn's are: pixels, then channels that count.
struct DropoutSize {
  std::int64_t samples = 0, pixels = 0, channels = 0, stored = 0;
  float rate = 0;
  int layer = 0;
  std::uint64_t seed = 0;
};
[[nodiscard]] Launch dropout(Type type, const void* x, void* y, const DropoutSize& size,
                             const std::uint64_t* draws, const Scalars* scalars);

// ---- pooling ------------------------------------------------------------------------------------
struct Pooling {
  std::int64_t samples = 0, height = 0, width = 0, stored = 0;
  std::int64_t out_height = 0, out_width = 0;
  std::int64_t size = 2, stride = 2, top = 0, left = 0;
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

// ---- batch norm: float32 parameters and statistics, [stored] each -------------------------------
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

// ---- the loss -----------------------------------------------------------------------------------
struct LossSize {
  nn::Loss loss{};
  std::int64_t samples = 0;  ///< rows there are; scalars->samples of them are valid
  std::int64_t outputs = 0, stored = 0;
  double label_smoothing = 0;
  bool labels_are_indices = true;  ///< i32 [samples], else f32 [samples][outputs]
};
/// From float32 logits [samples][stored], a row a call, formulas of nn/loss.h: dlogits (of `type`,
/// null outside training) = scale * weight / valid * d loss, zero in rows that are not valid;
/// losses float64 [samples], weights included, and right answers u8 [samples]. An index that is no
/// class makes its row's loss NaN and its gradient zero.
[[nodiscard]] Launch loss(Type type, const float* logits, const void* labels, const float* weights,
                          void* dlogits, double* losses, std::uint8_t* right, const LossSize& size,
                          const Scalars* scalars);
/// Adds up the rows in order, and scalars->penalty for each sample, into the results: after
/// update() or penalty() where L2 is on.
[[nodiscard]] Launch loss_totals(const double* losses, const float* weights,
                                 const std::uint8_t* right, const LossSize& size, Scalars* scalars);

// ---- the step and the update: one flat arena ----------------------------------------------------
/// Sets what a step is about. Arguments travel with the launch; or they lie on the device, so that
/// the launch stays the same.
[[nodiscard]] Launch begin_step(Scalars* scalars, const StepNumbers& step);
[[nodiscard]] Launch begin_step(Scalars* scalars, const StepNumbers* step);
/// Puts a series of steps there, one for each learning rate: each of first.samples samples, the
/// last of what is left of `samples`; t counts from that of the first. Arguments travel with the
/// launches, one for so many steps.
inline constexpr int kRatesOfLaunch = 16;
[[nodiscard]] std::vector<Launch> keep_steps(StepNumbers* steps, StepNumbers first,
                                             std::int64_t samples,
                                             std::span<const double> learning_rates);

/// A parameter of the arena, in device memory, in the order of offsets. Offsets and counts are
/// physical; offsets are multiples of 16. What lies between segments is zero in every arena.
struct Segment {
  std::int64_t offset = 0, count = 0;
  std::uint32_t is_penalised = 0;  ///< a kernel, where L2 is on
};
/// What the update works on, each at a multiple of 16 bytes; absent parts are null. `gradients` are
/// of the storage type and still scaled.
struct UpdateArenas {
  std::int64_t elements = 0;
  float* weights = nullptr;
  void* working = nullptr;  ///< copies of the storage type; null in fp32 and tf32
  const void* gradients = nullptr;
  std::array<float*, nn::kMostStates> states{};  ///< those that the optimizer keeps
  const float* masks = nullptr;
  /// Where L2 is on: the gradients that the optimizer was given, [elements]. They cannot be told
  /// from weights that have changed since. Null without L2.
  float* given = nullptr;
  const Segment* segments = nullptr;
  std::int64_t segment_count = 0;
  double* partials = nullptr;  ///< [2][arena_parts()], for L2 and clip_global_norm
  double* norms = nullptr;     ///< [segment_count][norm_parts()], for clip_norm
};
/// From gradients to new weights, in this order: are all finite; unscale, L2, clip, optimizer,
/// mask, working copy; then the loss scale advances. With loss scaling a step with a gradient that
/// is not finite changes nothing but the loss scale, and Adam's t leaves it out; without (null)
/// nothing is skipped. Sets scalars->penalty.
[[nodiscard]] std::vector<Launch> update(Type type, const UpdateArenas& arenas,
                                         const nn::OptimizerOptions& optimizer,
                                         const nn::GradientOptions& gradient,
                                         const nn::LossScaleOptions* loss_scale, Scalars* scalars);
/// The penalty of L2 on the weights as they are, where there is no update: into scalars->penalty.
/// No launches without L2.
[[nodiscard]] std::vector<Launch> penalty(const UpdateArenas& arenas,
                                          const nn::GradientOptions& gradient, Scalars* scalars);
/// Gradients as the host reads them, float32 [elements], unscaled. After update(): those that the
/// optimizer was given, with L2 and clipped (of the last step that was not skipped where L2 is on).
/// Else: with L2, not clipped.
[[nodiscard]] Launch read_gradients(Type type, const UpdateArenas& arenas,
                                    const nn::GradientOptions& gradient, bool after_update,
                                    float* seen, const Scalars* scalars);
/// Working copies anew from the weights: after write().
[[nodiscard]] Launch refresh_working(Type type, const float* weights, void* working,
                                     std::int64_t elements);
}  // namespace millrace::gpu
