#pragma once
// Losses from logits, with the derivative and the count of right answers, for one batch. Plain
// loops for any floating type: the reference engine and CPU engines share them. The losses
// themselves are in losses/, one file each.

#include <millrace/core/shape.h>
#include <millrace/nn/losses/losses.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace millrace::nn {

struct Model;

/// Of the library's, or a registered one.
[[nodiscard]] const LossInfo& loss_info(Loss loss);

/// By what the command line calls it. Throws UsageError that lists the names.
[[nodiscard]] Loss loss_named(std::string_view option);

/// Whether the model ends in the activation that belongs to the loss, which then computes it from
/// the logits.
[[nodiscard]] bool folds_end(Loss loss, const Model& model);
/// Whether the loss is of outputs such as the model ends in: its own activation, or none; for a
/// loss that has none also a sigmoid.
[[nodiscard]] bool fits_end(Loss loss, const Model& model);
/// The names of all losses that fit the model, with commas between them.
[[nodiscard]] std::string fitting_losses(const Model& model);

/// What label smoothing makes of labels of this many outputs. Throws UsageError if they are not
/// of classes and `label_smoothing` is not 0.
[[nodiscard]] Smoothing smoothing_of(Loss loss, std::int64_t outputs, double label_smoothing);

/// The loss that belongs to the model's last layer: softmax or sigmoid. A model that ends in
/// neither: sigmoid for one output, softmax for more; mean squared error where it has targets.
[[nodiscard]] Loss default_loss(const Model& model);

/// Sums over samples; means are the reader's business.
struct StepResult {
  double loss_sum = 0;       ///< sum of weight * loss
  double weight_sum = 0;     ///< sum of weights
  std::int64_t correct = 0;  ///< argmax equals the label's (first maximum); or sigmoid > 0.5
                             ///< equals label > 0.5 in every output; 0 without classes
  std::int64_t samples = 0;  ///< valid samples
  double device_s = 0;  ///< what the steps took by a device's own clock; 0 where nobody measured
  StepResult& operator+=(const StepResult& other) noexcept;
  [[nodiscard]] double mean_loss() const noexcept;  ///< Keras's: loss_sum / samples
  [[nodiscard]] double accuracy() const noexcept;
};

/// Computes loss and, where `gradient` is not empty, d(loss_sum / samples)/d(logits) into it; rows
/// from `samples` on get zero. `logits` and `gradient` are [N][K] row-major; `weights` is [N] or
/// empty (all 1). Sigmoid: the mean over K, as Keras does. Stable for finite logits of
/// any size. Soft labels need not sum to one. `label_smoothing` s makes a label y
/// y (1 - s) + s / K (softmax) or y (1 - s) + s / 2 (sigmoid); right answers are counted without
/// it. Float (float or double) accumulates in double. Thread-safe. Throws Error where labels have
/// another type or shape, or a class that does not exist. With `weighs_outputs` the weights are
/// [N][K], of outputs: an output of weight 0 asks nothing, its label may be no number, and neither
/// it nor a sample without another one counts as a right answer; a sample's weight is then the mean
/// of its outputs'. Throws Error if the loss is not a mean over outputs.
template <class Float>
StepResult evaluate_loss(Loss loss, std::span<const Float> logits, ConstTensorView labels,
                         std::span<const float> weights, std::int64_t samples, std::int64_t k,
                         std::span<Float> gradient, double label_smoothing = 0,
                         bool weighs_outputs = false);

/// Throws Error unless outputs may have weights of their own in this loss.
void check_weighs_outputs(Loss loss);

extern template StepResult evaluate_loss<float>(Loss, std::span<const float>, ConstTensorView,
                                                std::span<const float>, std::int64_t, std::int64_t,
                                                std::span<float>, double, bool);
extern template StepResult evaluate_loss<double>(Loss, std::span<const double>, ConstTensorView,
                                                 std::span<const float>, std::int64_t, std::int64_t,
                                                 std::span<double>, double, bool);

}  // namespace millrace::nn
