#pragma once
// Options of `millrace train` that prune the model while it is trained.

#include "apps/command_line.h"

#include <millrace/training/pruner.h>

#include <cstdint>
#include <optional>
#include <string>

namespace millrace::apps {

struct PruningOptions {
  std::string kind;  ///< "constant" or "polynomial"; empty or "none": nothing is pruned
  std::optional<double> initial_sparsity, final_sparsity;
  std::optional<std::uint64_t> begin, end, frequency;
  std::optional<double> power;
  std::string include, exclude;
  [[nodiscard]] bool is_on() const { return !kind.empty() && kind != "none"; }
};

void declare(CommandLine& line, PruningOptions& options);
/// Throws UsageError for values that cannot be meant, naming the option.
void check(const PruningOptions& options);

/// Fills in what was not said. `steps` are the training steps of the run: a polynomial schedule
/// ends with the run unless told otherwise. Throws UsageError where the run ends before pruning
/// begins.
void choose(PruningOptions& options, std::uint64_t steps);

/// One line where a run of so many steps ends before its pruning does, or makes no mask at all, and
/// how far it gets; else empty. Requires: check(), choose().
[[nodiscard]] std::string unfinished_pruning(const PruningOptions& options, bool keras_compat,
                                             std::uint64_t steps);

/// Nothing where nothing is pruned. Requires: check(), choose().
[[nodiscard]] std::optional<PruneOptions> prune_options(const PruningOptions& options,
                                                        bool keras_compat);

/// "polynomial, sparsity 0 to 0.8 from step 0 to 600, every 100; dense1.weight, dense2.weight".
[[nodiscard]] std::string describe(const Pruner& pruner);

}  // namespace millrace::apps
