#pragma once
// Options of `millrace train` that decide while it trains: what is monitored, early stopping, the
// learning rate on a plateau, checkpoints and going on from them.

#include "apps/command_line.h"

#include <millrace/nodes/callback.h>

#include <cstdint>
#include <optional>
#include <string>

namespace millrace::apps {

struct CallbackOptions {
  bool no_stop_on_nan = false;
  std::uint64_t checkpoint_every = 0;
  std::uint32_t keep_checkpoints = 2;
  bool no_checkpoints = false;
  std::string resume;
};

void declare(CommandLine& line, CallbackOptions& options);
/// Throws UsageError for values out of range, naming the option.
void check(const CallbackOptions& options);

/// The callbacks that the options ask for, in the order in which they decide.
[[nodiscard]] Callbacks make_callbacks(const CallbackOptions& options, bool has_validation);

}  // namespace millrace::apps
