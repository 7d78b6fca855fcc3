#pragma once
// The update of all parameters at once: one flat arena.

#include <millrace/gpu/kernels/plane.h>
#include <millrace/gpu/parameters.h>
#include <millrace/gpu/scalars.h>
#include <millrace/nn/gradient.h>
#include <millrace/nn/loss_scale.h>
#include <millrace/nn/optimizer.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace millrace::gpu {

/// What the update works on, each at a multiple of 16 bytes; absent parts are null. `gradients` are
/// of the storage type and still scaled.
struct UpdateArenas {
  std::int64_t elements = 0;
  float* weights = nullptr;
  void* working = nullptr;  ///< copies of the storage type; null in fp32 and tf32
  void* gradients = nullptr;
  float* sums = nullptr;  ///< of a group's gradients; null if there are no groups
  std::array<float*, nn::kMostStates> states{};  ///< those that the optimizer keeps
  const float* masks = nullptr;
  float* average = nullptr;  ///< of the weights
  /// Where L2 is on: the gradients that the optimizer was given, [elements]. They cannot be
  /// computed from weights that have changed since. Null without L2.
  float* given = nullptr;
  const Segment* segments = nullptr;
  std::int64_t segment_count = 0;
  double* partials = nullptr;  ///< [2][kArenaParts], for L2 and clip_global_norm
  double* norms = nullptr;     ///< [segment_count][kNormParts], for clip_norm
};
/// From gradients to new weights, in this order: are all finite; unscale, L2, clip, optimizer,
/// mask, working copy, average (with that momentum); then the loss scale advances. With loss
/// scaling a step with a gradient that is not finite changes nothing but the loss scale, and Adam's
/// t leaves it out; without (null) nothing is skipped. Sets scalars->penalty.
[[nodiscard]] std::vector<Launch> update(Type type, const UpdateArenas& arenas,
                                         const nn::OptimizerOptions& optimizer,
                                         const nn::GradientOptions& gradient,
                                         const nn::LossScaleOptions* loss_scale, Scalars* scalars,
                                         std::optional<double> average = {});
/// Adds the gradients of a step to the sums of its group. Nothing if there are no groups.
[[nodiscard]] std::vector<Launch> add_to_group(Type type, const UpdateArenas& arenas,
                                               const Scalars* scalars);
/// Before update(): gradients of the group's mean, rounded once; its results count from now on.
/// Nothing if there are no groups.
[[nodiscard]] std::vector<Launch> end_group(Type type, const UpdateArenas& arenas,
                                            Scalars* scalars);
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
/// Rewrites working copies from the weights: after write().
[[nodiscard]] Launch refresh_working(Type type, const float* weights, void* working,
                                     std::int64_t elements);
/// Exchanges weights and averages, and rewrites working copies.
[[nodiscard]] Launch swap_average(Type type, const UpdateArenas& arenas);

}  // namespace millrace::gpu
