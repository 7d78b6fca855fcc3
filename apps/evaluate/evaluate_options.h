#pragma once
// The options of `millrace evaluate`.

#include "apps/common/command_line.h"

#include <millrace/training/options/options.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace millrace::apps {

struct EvaluateOptions {
  ModelRequest request;
  std::string data, part;
  bool held_out = false;
  std::vector<std::string> class_names;
  std::optional<std::int64_t> asked_batch;  ///< --batch
  std::int64_t batch = 32;                  ///< that, or what stands for it
  BadImages on_bad_image = BadImages::fail;
  std::uint64_t max_image_pixels = kMaxImagePixels;
  CsvOptions table;
  MachineSpec machine;
  bool auc = true;
  bool json = false;
  bool quiet = false;
};

void list(CommandLine& line, EvaluateOptions& options);

/// Throws UsageError for options that are missing, out of range or contradict each other. Fills in
/// what is left open.
void check(EvaluateOptions& options);

}  // namespace millrace::apps
