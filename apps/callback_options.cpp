#include "apps/callback_options.h"

#include <millrace/core/error.h>

namespace millrace::apps {

void declare(CommandLine& line, CallbackOptions& o) {
  line.topic("callbacks", "While it trains");
  line("metrics", o.metrics, "LIST",
       "measure in validation too: precision, recall, f1 (means over classes), auc, top5 (any "
       "number)");
  line("monitor", o.monitor, "NAME",
       "what early stopping, the plateau and the best model watch: loss, accuracy, val_loss, "
       "val_accuracy, val_auc, ...; default val_loss, without validation loss");
  line("monitor-mode", o.monitor_mode, "auto|min|max", "which way is better; default by the name");
  line("patience", o.patience, "N", "early stopping: end after N epochs without improvement");
  line("min-delta", o.min_delta, "X", "what counts as an improvement; default 0");
  line("baseline", o.baseline, "X", "patience also runs out while this is not beaten");
  line("start-from-epoch", o.start_from_epoch, "N", "epochs before it are not watched; default 0");
  line("restore-best", o.restore_best, "",
       "with --patience: end with the weights of the best epoch, not of the last");
  line("plateau-patience", o.plateau_patience, "N",
       "lower the learning rate after N epochs without improvement");
  line("plateau-factor", o.plateau_factor, "X", "by this factor; default 0.1");
  line("plateau-min-delta", o.plateau_min_delta, "X", "default 0.0001");
  line("plateau-cooldown", o.plateau_cooldown, "N",
       "epochs after a reduction that do not count; default 0");
  line("min-learning-rate", o.min_learning_rate, "X", "never below this; default 0");
  line("no-stop-on-nan", o.no_stop_on_nan, "", "go on when the loss is not a number");
  line.topic("checkpoints", "Checkpoints");
  line("checkpoint-every", o.checkpoint_every, "N",
       "write a checkpoint every N steps, besides those at the end of epochs; default 0: not");
  line("keep-checkpoints", o.keep_checkpoints, "N",
       "how many of the last checkpoints stay, the best one not counted; default 2, 0: all");
  line("no-checkpoints", o.no_checkpoints, "", "write none; the run cannot be resumed");
  line("csv-log", o.csv_log, "FILE",
       "write the epochs into this file too, as Keras's CSVLogger does");
  line("resume", o.resume, "RUN",
       "go on with the run in this directory from its last good checkpoint; options are those of "
       "the run, others on the command line win");
}

void check(const CallbackOptions& o) {
  const auto needs = [](bool is_given, const char* option, bool has_other, const char* other) {
    if (is_given && !has_other)
      throw UsageError(concat("train: --", option, " means nothing without --", other));
  };
  needs(o.restore_best, "restore-best", o.patience.has_value(), "patience");
  needs(o.min_delta != 0, "min-delta", o.patience.has_value(), "patience");
  needs(o.baseline.has_value(), "baseline", o.patience.has_value(), "patience");
  needs(o.start_from_epoch != 0, "start-from-epoch", o.patience.has_value(), "patience");
  needs(o.min_learning_rate != 0, "min-learning-rate", o.plateau_patience.has_value(),
        "plateau-patience");
  needs(o.plateau_cooldown != 0, "plateau-cooldown", o.plateau_patience.has_value(),
        "plateau-patience");
  if (o.no_checkpoints && (o.checkpoint_every > 0 || !o.resume.empty())) {
    throw UsageError(concat("train: --no-checkpoints contradicts --",
                            o.resume.empty() ? "checkpoint-every" : "resume"));
  }
}

Monitor monitor_of(const CallbackOptions& o, bool has_validation) {
  Monitor monitor{.name = o.monitor, .direction = nn::direction_named(o.monitor_mode)};
  if (monitor.name.empty()) monitor.name = has_validation ? "val_loss" : "loss";
  return monitor;
}

std::vector<std::string> begun_anew(const CallbackOptions& o, const Monitor& monitor,
                                    const Checkpoint& checkpoint) {
  const std::optional<Monitor> before = watched(checkpoint);
  if (before && !is_same(*before, monitor)) {
    const bool is_renamed = before->name != monitor.name;
    return {concat(monitor.name, " is watched from here on",
                   is_renamed ? ", not " + before->name : "",
                   is_renamed ? "" : " in the other direction", ": the best so far begins anew")};
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
        "--restore-best begins here, with early stopping: weights of epochs before are in "
        "best.safetensors alone");
  }
  if (o.plateau_patience && is_new("plateau")) {
    lines.emplace_back("the plateau begins here: the epochs before do not count");
  }
  return lines;
}

Callbacks make_callbacks(const CallbackOptions& o, bool has_validation, const nn::Model& model) {
  Callbacks callbacks;
  if (!o.no_stop_on_nan) callbacks.push_back(stop_on_nan());
  const Monitor monitor = monitor_of(o, has_validation);
  if (!has_validation && monitor.name.rfind("val_", 0) == 0) {
    throw UsageError(concat("train: --monitor ", monitor.name, ": there is no validation"));
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

}  // namespace millrace::apps
