#pragma once
// Options of `millrace train` that decide while it trains: what is monitored, early stopping, the
// learning rate on a plateau, checkpoints and going on from them.

#include "apps/command_line.h"

#include <millrace/nn/model.h>
#include <millrace/training/callback.h>
#include <millrace/training/monitor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace millrace::apps {

struct CallbackOptions {
  std::string metrics;  ///< names with commas
  std::string monitor;  ///< empty: val_loss, or loss without validation
  std::string monitor_mode = "auto";
  std::optional<std::uint32_t> patience;  ///< of early stopping; not given: none
  double min_delta = 0;
  std::optional<double> baseline;
  std::uint32_t start_from_epoch = 0;
  bool restore_best = false;
  std::optional<std::uint32_t> plateau_patience;  ///< not given: the learning rate is not reduced
  double plateau_factor = 0.1, plateau_min_delta = 1e-4;
  std::uint32_t plateau_cooldown = 0;
  double min_learning_rate = 0;
  bool no_stop_on_nan = false;
  std::uint64_t checkpoint_every = 0;
  std::uint32_t keep_checkpoints = 2;
  bool no_checkpoints = false;
  std::string csv_log;
  std::string resume;
};

void declare(CommandLine& line, CallbackOptions& options);
/// Throws UsageError for values out of range or that contradict each other, naming the option.
void check(const CallbackOptions& options);

/// What they watch: without a name val_loss, or loss where there is no validation.
[[nodiscard]] Monitor monitor_of(const CallbackOptions& options, bool has_validation);

/// For a run that goes on: a line for each callback whose best does not come from the checkpoint,
/// that says why. Requires: the checkpoint says what was watched.
[[nodiscard]] std::vector<std::string> begun_anew(const CallbackOptions& options,
                                                  const Monitor& monitor,
                                                  const Checkpoint& checkpoint);

/// The callbacks that the options ask for, in the order in which they decide. Throws UsageError.
[[nodiscard]] Callbacks make_callbacks(const CallbackOptions& options, bool has_validation,
                                       const nn::Model& model);

}  // namespace millrace::apps
