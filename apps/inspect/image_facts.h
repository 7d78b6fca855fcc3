#pragma once
// Facts in the headers of a data set's image files.

#include "apps/inspect/inspect.h"

#include <millrace/io/dataset.h>

#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace millrace::apps {

/// What one file contains.
struct Facts {
  int height = 0, width = 0, channels = 0;
  const char* format = nullptr;  ///< null: it cannot be read
};

/// Fills in the facts of each sample, by its header or, with --full, by decoding it. Returns why
/// files cannot be read, a line a file. Throws Stopped.
[[nodiscard]] std::vector<std::string> look_at_all(const std::shared_ptr<const Dataset>& dataset,
                                                   std::span<Facts> facts,
                                                   const InspectOptions& options, Show show,
                                                   std::stop_token stop);

}  // namespace millrace::apps
