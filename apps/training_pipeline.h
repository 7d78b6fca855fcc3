#pragma once
// The training pipeline, composed in plain sight: list - decode - augment - batch - copy - cast -
// train - log. `train` runs it, `bench train` measures it and its loading half alone.

#include "apps/training.h"

#include <millrace/pipeline/pipeline.h>
#include <millrace/training/logger.h>

#include <filesystem>

namespace millrace::apps {

/// The loading half: list - decode - augment - standardize (if the preprocessing looks at whole
/// samples) - batch, over a pool of host batches, with its charges
/// for the data sets. With --replay: what load_kept() has kept, again and again. With --resident:
/// rows alone.
Stream<Lease<HostBatch>> add_loading(Pipeline& pipeline, const Training& training);

/// The whole pipeline; batches begin at the state's position. `trace` may be empty. The executor
/// must be allocated before it runs.
[[nodiscard]] Pipeline compose_training(const Training& training,
                                        const std::filesystem::path& trace,
                                        Logger::Watchers watchers);

/// Takes the executor's memory and writes the first weights, a function of the seed.
void allocate(const Training& training);

}  // namespace millrace::apps
