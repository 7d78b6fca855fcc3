#pragma once
// The options of `millrace train`: a spec of the run, and those of the command line alone.

#include "apps/common/command_line.h"

#include <millrace/training/options/options.h>

#include <string>

namespace millrace::apps {

struct TrainOptions {
  TrainSpec spec;
  std::string resume;  ///< a run directory
  bool print_plan = false;
  bool quiet = false;
};

/// Lists all options.
void list(OptionList& options, TrainOptions& o);

}  // namespace millrace::apps
