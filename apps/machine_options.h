#pragma once
// The options of commands that compute: on which device, with how many threads, in how much memory.

#include "apps/command_line.h"
#include "apps/engine_choice.h"

#include <millrace/io/decode.h>

#include <cstdint>
#include <string>

namespace millrace::apps {

struct MachineOptions {
  std::string device = "auto";
  std::string precision;    ///< as EngineChoice has it
  int threads = 0;          ///< of reading and decoding; 0: the cores one may use
  int compute_threads = 0;  ///< of the model; 0: the cores one may use
  std::string memory_budget;

  [[nodiscard]] EngineChoice engine() const { return {device, compute_threads, precision}; }
};

/// The help of --precision.
inline constexpr const char* kPrecisionHelp =
    "of a GPU's computing: fp32 (default), tf32, fp16, bf16; sums, weights and updates stay fp32";

/// Declares --threads, --compute-threads, --precision and --memory-budget, and --device unless the
/// command has an option of its own for it.
void declare(CommandLine& line, MachineOptions& options, bool with_device = true);

/// The bound on the pixels of an image, for all commands that decode.
void declare_max_image_pixels(CommandLine& line, std::uint64_t& pixels);
/// Throws UsageError.
void check_max_image_pixels(const char* command, std::uint64_t pixels);

/// Fills in what was left open. Throws UsageError that names the command and the option.
void check_and_choose(const char* command, MachineOptions& options);

}  // namespace millrace::apps
