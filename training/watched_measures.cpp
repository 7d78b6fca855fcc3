#include <millrace/training/watched_measures.h>

#include <millrace/core/error.h>
#include <millrace/nn/metrics.h>
#include <millrace/nn/target_metrics.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

void measure_what_is_watched(TrainSpec& o, const Dataset& training) {
  if (!training.targets().empty()) return;  // measure_targets() knows
  std::vector<std::string>& metrics = o.callbacks.metrics;
  const std::string& watched = o.callbacks.monitor;
  for (const char* known : {"", "loss", "accuracy", "learning_rate", "val_loss", "val_accuracy"}) {
    if (watched == known) return;
  }
  const auto refuse = [&](const auto&... why) {
    throw UsageError(concat("--monitor ", watched, ": ", why...));
  };
  constexpr std::string_view kOfValidation = "val_";
  if (!watched.starts_with(kOfValidation)) {
    refuse(
        "unknown figure; known: loss, accuracy, learning_rate, val_loss, val_accuracy "
        "and val_ with a name of --metrics");
  }
  if (o.labels.class_mode == ClassMode::input) {
    refuse("--class-mode input has no classes to measure; watch loss or val_loss");
  }
  const std::string name = watched.substr(kOfValidation.size());
  try {
    (void)nn::metrics_options(std::span(&name, 1),
                              static_cast<std::int64_t>(training.classes().size()));
  } catch (const UsageError& error) {
    refuse(error.what());
  }
  if (std::find(metrics.begin(), metrics.end(), name) == metrics.end()) metrics.push_back(name);
}

void measure_targets(CallbackSpec& o, bool has_validation, const nn::Model& model) {
  std::vector<std::string>& metrics = o.metrics;
  if (metrics.empty() && has_validation) metrics = nn::usual_target_metrics(model);
  constexpr std::string_view kOfValidation = "val_";
  const std::string& watched = o.monitor;
  constexpr std::array<std::string_view, 6> kKnown{"",         "loss",     "learning_rate",
                                                   "val_loss", "accuracy", "val_accuracy"};
  const bool is_known = std::find(kKnown.begin(), kKnown.end(), watched) != kKnown.end();
  const bool is_measure = !is_known && watched.starts_with(kOfValidation);
  if (!is_measure && !is_known) {
    throw UsageError(concat("--monitor ", watched, ": there is no such figure; known: loss, ",
                            "learning_rate, val_loss and val_ with a name of --metrics"));
  }
  if (is_measure) {
    const std::string name = watched.substr(kOfValidation.size());
    if (std::find(metrics.begin(), metrics.end(), name) == metrics.end()) metrics.push_back(name);
  }
  for (const std::string& name : metrics) nn::check_target_metric(name, model);
}

}  // namespace millrace
