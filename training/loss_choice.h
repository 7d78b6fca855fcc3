#pragma once
// Which loss a model is trained with, and whether it fits the model and its labels.

#include <millrace/nn/loss.h>
#include <millrace/training/label_form.h>

#include <optional>
#include <string>

namespace millrace {

/// The loss that was asked for; none: that of the model's last layer. Throws UsageError if it
/// does not fit the end of the model, or the labels that it gets.
[[nodiscard]] std::optional<nn::Loss> loss_of(std::optional<nn::Loss> loss, const LabelSpec& labels,
                                              const nn::Model& model);

/// The loss that is computed: the named one, or that of the model's last layer.
[[nodiscard]] nn::Loss meant_loss(std::optional<nn::Loss> loss, const nn::Model& model);

/// Throws UsageError where accuracy is watched and there are no right answers.
void check_monitor(std::optional<nn::Loss> loss, const std::string& monitor,
                   const nn::Model& model);

/// Throws UsageError for smoothed labels of a loss whose labels are not classes.
void check_label_smoothing(double smoothing, std::optional<nn::Loss> loss, const nn::Model& model);

/// The loss of a run's model that is evaluated, by classes or targets; none: that of its last
/// layer. Throws UsageError for a loss that is not of classes where the model has no targets.
[[nodiscard]] std::optional<nn::Loss> evaluated_loss(std::optional<nn::Loss> loss,
                                                     const nn::Model& model);

/// Whether a model that is trained so has right answers: accuracy is then reported.
[[nodiscard]] bool has_right_answers(std::optional<nn::Loss> loss, const nn::Model& model);

}  // namespace millrace
