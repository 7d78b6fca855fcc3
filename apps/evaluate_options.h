#pragma once
// The options of `millrace evaluate`.

#include "apps/command_line.h"
#include "apps/machine_options.h"
#include "apps/table_options.h"

#include <millrace/io/decode.h>

#include <cstdint>
#include <optional>
#include <string>

namespace millrace::apps {

struct EvaluateOptions {
  std::string model, data, part;
  bool held_out = false;
  std::string class_names;                  ///< as class_names_of() reads it
  std::optional<std::int64_t> asked_batch;  ///< --batch
  std::int64_t batch = 32;                  ///< that, or what stands for it
  std::string on_bad_image = "fail";
  std::uint64_t max_image_pixels = kMaxImagePixels;
  TableOptions table;
  MachineOptions machine;
  bool no_auc = false;
  bool json = false;
  bool quiet = false;
};

void declare(CommandLine& line, EvaluateOptions& options);

/// Throws UsageError for options that are missing, out of range or contradict each other. Fills in
/// what was not said.
void check(EvaluateOptions& options);

}  // namespace millrace::apps
