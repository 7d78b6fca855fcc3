#pragma once
// The schedule of pruning in a run, once its steps are known.

#include <millrace/training/pruner.h>
#include <millrace/training/train_spec.h>

#include <cstdint>
#include <optional>
#include <string>

namespace millrace {

/// Fills in what is left open. `steps` are the training steps of the run: a polynomial schedule
/// ends with the run by default. Throws UsageError if the run ends before pruning
/// begins.
void choose_pruning(PruningSpec& options, std::uint64_t steps);

/// One line if a run of this many steps ends before its pruning, or makes no mask at all, and
/// how far it gets; else empty. Requires: choose_pruning().
[[nodiscard]] std::string unfinished_pruning(const PruningSpec& options, bool keras_compat,
                                             std::uint64_t steps);

/// Nothing if nothing is pruned. Requires: choose_pruning().
[[nodiscard]] std::optional<PruneOptions> prune_options(const PruningSpec& options,
                                                        bool keras_compat);

/// "polynomial, sparsity 0 to 0.8 from step 0 to 600, every 100; dense1.weight, dense2.weight".
[[nodiscard]] std::string describe(const Pruner& pruner);

}  // namespace millrace
