#pragma once
// The engine's own kernels, for what is bound by memory: each function makes a Launch. One header a
// kind; here are those of the loss and the update.

#include <millrace/gpu/kernels/activation.h>
#include <millrace/gpu/kernels/batch_norm.h>
#include <millrace/gpu/kernels/column_sums.h>
#include <millrace/gpu/kernels/dropout.h>
#include <millrace/gpu/kernels/input.h>
#include <millrace/gpu/kernels/layout.h>
#include <millrace/gpu/kernels/pooling.h>
#include <millrace/gpu/scalars.h>
#include <millrace/nn/gradient.h>
#include <millrace/nn/loss.h>
#include <millrace/nn/loss_scale.h>
#include <millrace/nn/optimizer.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace millrace::gpu {

/// Fixed parts for sums over a whole arena, and over one parameter: partials are float64.
[[nodiscard]] std::int64_t arena_parts() noexcept;
[[nodiscard]] std::int64_t norm_parts() noexcept;

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
