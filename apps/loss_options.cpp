#include "apps/loss_options.h"

#include "apps/find_model.h"

#include <millrace/core/error.h>
#include <millrace/core/plural.h>

namespace millrace::apps {
namespace {

/// That sigmoid's and softmax's losses are of classes, and that the others are of numbers.
void check_labels(nn::Loss loss, const LabelOptions& labels, const nn::Model& model) {
  const ClassMode mode = class_mode_for(labels, model);
  const std::int64_t outputs = output_width(model);
  const bool are_numbers_of_classes = mode == ClassMode::binary || mode == ClassMode::sparse;
  if (!are_numbers_of_classes || nn::loss_info(loss).takes_class_numbers(outputs)) return;
  throw UsageError(concat("train: --loss ", nn::loss_info(loss).option, " compares ", outputs, ' ',
                          plural(outputs, "output"),
                          " with as many numbers, and a label is the number of a class; "
                          "--class-mode categorical makes it a row of zeros and a one, "
                          "--class-mode input has the image itself learnt"));
}

}  // namespace

std::string loss_help() {
  std::string names;
  for (std::size_t i = 0; i < nn::Losses::size; ++i) {
    names += concat(i == 0 ? "" : ", ", nn::loss_info(static_cast<nn::Loss>(i)).option);
  }
  return concat(names, "; default: the cross-entropy of the model's last layer");
}

void check_loss_name(const char* command, const std::string& loss) {
  if (loss.empty()) return;
  try {
    (void)nn::loss_named(loss);
  } catch (const UsageError& error) {
    throw UsageError(concat(command, ": --loss: ", error.what()));
  }
}

std::optional<nn::Loss> loss_of(const std::string& name, const LabelOptions& labels,
                                const nn::Model& model) {
  if (name.empty()) return std::nullopt;
  const nn::Loss loss = nn::loss_named(name);
  if (!nn::fits_end(loss, model)) {
    throw UsageError(concat("train: --loss ", name, " does not fit a model that ends in ",
                            nn::kind_name(model.layers.back().kind), "; those that fit are ",
                            nn::fitting_losses(model)));
  }
  check_labels(loss, labels, model);
  return loss;
}

nn::Loss meant_loss(const std::string& name, const nn::Model& model) {
  return name.empty() ? nn::default_loss(model) : nn::loss_named(name);
}

void check_monitor(std::optional<nn::Loss> loss, const std::string& monitor,
                   const nn::Model& model) {
  if (has_right_answers(loss, model) || !monitor.ends_with("accuracy")) return;
  throw UsageError(concat("train: --monitor ", monitor, ": ", nn::loss_info(*loss).name,
                          " is of numbers, and counts no right answers; watch loss or val_loss"));
}

std::optional<nn::Loss> evaluated_loss(const std::string& name, const nn::Model& model) {
  if (name.empty()) return std::nullopt;
  const nn::Loss loss = nn::loss_named(name);
  if (nn::loss_info(loss).takes_class_numbers(output_width(model))) return loss;
  throw UsageError(concat("evaluate: the run was trained with --loss ", name,
                          ", which compares outputs with numbers, and this measures how classes "
                          "are told apart; val_loss is in the run's metrics.csv"));
}

bool has_right_answers(std::optional<nn::Loss> loss, const nn::Model& model) {
  return nn::loss_info(loss.value_or(nn::default_loss(model))).classes(output_width(model)) > 0;
}

}  // namespace millrace::apps
