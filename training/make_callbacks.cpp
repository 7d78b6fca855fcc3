#include <millrace/training/make_callbacks.h>

#include <millrace/core/error.h>

namespace millrace {

Monitor monitor_of(const CallbackSpec& o, bool has_validation) {
  Monitor monitor{.name = o.monitor, .direction = o.monitor_mode};
  if (monitor.name.empty()) monitor.name = has_validation ? "val_loss" : "loss";
  return monitor;
}

std::vector<std::string> begun_anew(const CallbackSpec& o, const Monitor& monitor,
                                    const Checkpoint& checkpoint) {
  const std::optional<Monitor> before = watched(checkpoint);
  if (before && !is_same(*before, monitor)) {
    const bool is_renamed = before->name != monitor.name;
    return {concat(monitor.name, " is watched from here on",
                   is_renamed ? ", not " + before->name : "",
                   is_renamed ? "" : " in the other direction", ": the best so far is reset")};
  }
  std::vector<std::string> lines;
  const auto is_new = [&](const char* callback) {
    return !checkpoint.has(concat(callback, ".has_best"));
  };
  if (o.patience && is_new("early_stopping")) {
    lines.emplace_back("early stopping begins here: the epochs before do not count");
  } else if (o.patience && o.restore_best && checkpoint.get<bool>("early_stopping.has_best") &&
             checkpoint.arrays.count("early_stopping.weights") == 0) {
    lines.emplace_back(
        "--restore-best begins here, with early stopping: weights of earlier epochs are in "
        "best.safetensors alone");
  }
  if (o.plateau_patience && is_new("plateau")) {
    lines.emplace_back("the plateau begins here: the epochs before do not count");
  }
  return lines;
}

Callbacks make_callbacks(const CallbackSpec& o, bool has_validation, const nn::Model& model) {
  Callbacks callbacks;
  if (o.stop_on_nan) callbacks.push_back(stop_on_nan());
  const Monitor monitor = monitor_of(o, has_validation);
  if (!has_validation && monitor.name.rfind("val_", 0) == 0) {
    throw UsageError(concat("--monitor ", monitor.name, ": there is no validation"));
  }
  callbacks.push_back(track_best(monitor));
  if (o.plateau_patience) {
    callbacks.push_back(reduce_on_plateau(monitor, {.factor = o.plateau_factor,
                                                    .patience = *o.plateau_patience,
                                                    .min_delta = o.plateau_min_delta,
                                                    .cooldown = o.plateau_cooldown,
                                                    .min_rate = o.min_learning_rate}));
  }
  if (o.patience) {
    callbacks.push_back(early_stopping(monitor,
                                       {.min_delta = o.min_delta,
                                        .patience = *o.patience,
                                        .baseline = o.baseline,
                                        .start_from_epoch = o.start_from_epoch},
                                       o.restore_best, model));
  }
  return callbacks;
}

}  // namespace millrace
