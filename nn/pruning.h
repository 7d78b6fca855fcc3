#pragma once
// Magnitude pruning of single weights, after Zhu and Gupta, "To prune, or not to prune" (2017):
// when masks are made, how many weights they prune, which ones, and of which parameters. Schedules
// are those of tensorflow-model-optimization (tfmot), masks torch.nn.utils.prune's or tfmot's. Pure
// functions; training/prune_step.h applies them in training.

#include <millrace/nn/model.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::nn {

enum class PruneKind { constant, polynomial };

/// Throws UsageError that lists "constant" and "polynomial".
[[nodiscard]] PruneKind prune_kind(std::string_view name);
[[nodiscard]] const char* to_string(PruneKind kind) noexcept;

/// When masks are made and how sparse they are: at begin_step and every `frequency` steps from
/// there up to end_step. Steps count updates of the weights; 0 is before the first.
struct PruneSchedule {
  PruneKind kind = PruneKind::constant;
  double initial_sparsity = 0.0;  ///< polynomial: at begin_step
  double final_sparsity = 0.5;    ///< constant: at all steps
  std::uint64_t begin_step = 0;
  std::optional<std::uint64_t> end_step{};  ///< none: no end; polynomial needs one
  std::uint64_t frequency = 100;
  double power = 3.0;  ///< polynomial
  /// exactly tfmot's clock: the first batch sees step 1, so that step 0 never comes, and an
  /// end that is not a multiple of the frequency from the beginning gets no mask. Otherwise
  /// end_step always gets one, with exactly the final sparsity.
  bool keras_compat = false;
};

/// Throws UsageError that names the field: sparsity outside [0, 1), an end before the beginning,
/// a polynomial without an end, a frequency of 0, a power that is not above 0.
void validate(const PruneSchedule& schedule);

/// Whether a mask is made at this step.
[[nodiscard]] bool makes_mask(const PruneSchedule& schedule, std::uint64_t step) noexcept;

/// The last mask of a run of this many updates, if it makes one.
[[nodiscard]] std::optional<std::uint64_t> last_mask(const PruneSchedule& schedule,
                                                     std::uint64_t updates) noexcept;

/// The share of weights to prune. Polynomial, in float32 as tfmot:
///   p = clip((step - begin) / (end - begin), 0, 1);  final + (initial - final) (1 - p)^power.
[[nodiscard]] float sparsity_at(const PruneSchedule& schedule, std::uint64_t step) noexcept;

/// How many of n weights a share prunes, as torch.nn.utils.prune counts: n * share, rounded half to
/// even.
[[nodiscard]] std::size_t pruned_weights(std::size_t n, double share) noexcept;

/// How many of n weights the mask of a step prunes: pruned_weights() of the shares that were asked
/// for, at the beginning and the end; in between n less kept_weights() of sparsity_at().
[[nodiscard]] std::size_t pruned_at(const PruneSchedule& schedule, std::uint64_t step,
                                    std::size_t n) noexcept;

/// Writes the mask (1 keeps, 0 prunes) of one tensor: the `count` smallest magnitudes are pruned,
/// of equal ones those that come first, so zeros that are there are part of the count. Returns the
/// smallest magnitude that is kept, or the largest of all where none is. mask.size() ==
/// weights.size() > 0, and no weight is NaN. Allocates nothing. Thread-safe.
float prune_smallest(std::span<const float> weights, std::size_t count, std::span<float> mask);

/// tfmot's count: of n weights a sparsity keeps n (1 - sparsity) in float32, rounded half to even,
/// at least 1.
[[nodiscard]] std::size_t kept_weights(std::size_t n, float sparsity) noexcept;

/// tfmot's mask of one tensor. Returns the threshold, the kept_weights()-th largest magnitude.
/// Weights as large as the threshold are all kept, so a tensor of equal weights is not pruned at
/// all. NaN ranks below all numbers. mask.size() == weights.size() > 0. Allocates nothing.
/// Thread-safe.
float keep_above_threshold(std::span<const float> weights, float sparsity, std::span<float> mask);

/// Throws Error that names the parameter if a weight is NaN: no magnitude is the smallest then.
void check_prunable(const std::string& parameter, std::span<const float> weights);

/// The parameters that are pruned, in the order of the arena: trainable kernels of dense and
/// convolution layers, the classifier's too; never biases or batch norm. A pattern (*, ?, [...])
/// means parameters ("conv1.weight") or layers ("conv1"); without `include` all kernels are meant.
/// Throws UsageError that names a pattern without a match and the kernels that there are, or says
/// that nothing is left.
[[nodiscard]] std::vector<Parameter> pruned_parameters(const Model& model,
                                                       const std::vector<std::string>& include,
                                                       const std::vector<std::string>& exclude);

}  // namespace millrace::nn
