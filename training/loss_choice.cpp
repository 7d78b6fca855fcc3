#include <millrace/training/loss_choice.h>

#include <millrace/core/error.h>
#include <millrace/core/plural.h>
#include <millrace/nn/target_metrics.h>
#include <millrace/training/find_model.h>

namespace millrace {
namespace {

/// That sigmoid's and softmax's losses are of classes, and that the others are of numbers.
void check_labels(nn::Loss loss, const LabelSpec& labels, const nn::Model& model) {
  const ClassMode mode = class_mode_for(labels, model);
  const std::int64_t outputs = output_width(model);
  const bool are_numbers_of_classes = mode == ClassMode::binary || mode == ClassMode::sparse;
  if (!are_numbers_of_classes || nn::loss_info(loss).takes_class_numbers(outputs)) return;
  throw UsageError(concat("--loss ", nn::loss_info(loss).option, " compares ", outputs, ' ',
                          plural(outputs, "output"),
                          " with as many numbers, and a label is the number of a class; "
                          "--class-mode categorical makes it a row of zeros and a one, "
                          "--class-mode input makes it the image itself"));
}

/// That the loss takes outputs for what they are measured as, and can leave out what is unknown.
void check_targets(nn::Loss loss, const nn::Model& model) {
  const nn::LossInfo& info = nn::loss_info(loss);
  if (info.activation != nullptr && !nn::folds_end(loss, model)) {
    throw UsageError(concat("--loss ", info.option, " takes outputs for logits, and the targets ",
                            "are measured by the outputs as they are; end the model in ",
                            info.activation));
  }
  if (info.weighs_outputs) return;
  throw UsageError(concat("--loss ", info.option, " is not a mean over outputs, so that unknown ",
                          "targets could not be left out"));
}

}  // namespace

std::optional<nn::Loss> loss_of(std::optional<nn::Loss> asked, const LabelSpec& labels,
                                const nn::Model& model) {
  if (!asked) return std::nullopt;
  const nn::Loss loss = *asked;
  if (!nn::fits_end(loss, model)) {
    throw UsageError(concat("--loss ", nn::loss_info(loss).option,
                            " does not fit a model that ends in ",
                            nn::kind_name(model.layers.back().kind), "; those that fit are ",
                            nn::fitting_losses(model)));
  }
  model.targets.empty() ? check_labels(loss, labels, model) : check_targets(loss, model);
  return loss;
}

nn::Loss meant_loss(std::optional<nn::Loss> asked, const nn::Model& model) {
  return asked.value_or(nn::default_loss(model));
}

void check_monitor(std::optional<nn::Loss> loss, const std::string& monitor,
                   const nn::Model& model) {
  if (monitor != "accuracy" && monitor != "val_accuracy") return;
  if (has_right_answers(loss, model)) return;
  if (nn::gives_labels(model)) {
    throw UsageError(concat("--monitor ", monitor, ": there are several labels a sample; watch ",
                            "loss, val_loss or val_binary_accuracy"));
  }
  throw UsageError(concat("--monitor ", monitor, ": ", nn::loss_info(meant_loss(loss, model)).name,
                          " is for numbers, and counts no right answers; watch loss or val_loss",
                          model.targets.empty() ? "" : ", or a measure such as val_r2 or val_mae"));
}

void check_label_smoothing(double smoothing, std::optional<nn::Loss> loss, const nn::Model& model) {
  const nn::LossInfo& info = nn::loss_info(meant_loss(loss, model));
  if (smoothing == 0 || info.classes(output_width(model)) > 0) return;
  throw UsageError(concat("--label-smoothing ", smoothing, ": the labels of ", info.name,
                          " are numbers, not classes; leave it out"));
}

std::optional<nn::Loss> evaluated_loss(std::optional<nn::Loss> asked, const nn::Model& model) {
  if (!asked) return std::nullopt;
  const nn::Loss loss = *asked;
  if (!model.targets.empty()) return loss;
  if (nn::loss_info(loss).takes_class_numbers(output_width(model))) return loss;
  throw UsageError(concat("the run was trained with --loss ", nn::loss_info(loss).option,
                          ", which compares outputs with numbers, and this measures "
                          "classification; val_loss is in the run's metrics.csv"));
}

bool has_right_answers(std::optional<nn::Loss> loss, const nn::Model& model) {
  if (!model.targets.empty()) return false;
  return nn::loss_info(loss.value_or(nn::default_loss(model))).classes(output_width(model)) > 0;
}

}  // namespace millrace
