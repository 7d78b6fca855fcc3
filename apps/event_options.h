#pragma once
// Options of `millrace train` for TensorBoard.

#include "apps/command_line.h"

#include <cstdint>

namespace millrace::apps {

struct EventOptions {
  bool no_events = false;
  std::uint64_t tensorboard_update = 0;
};

void declare(CommandLine& line, EventOptions& options);
/// Throws UsageError for options that contradict each other.
void check(const EventOptions& options);

}  // namespace millrace::apps
