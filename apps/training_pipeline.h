#pragma once
// The training pipeline, composed in plain sight: the feed's stages - copy - cast - train - log.
// `train` runs it, `bench train` measures it and its loading half alone.

#include "apps/training.h"

#include <millrace/pipeline/pipeline.h>
#include <millrace/training/logger.h>

#include <filesystem>

namespace millrace::apps {

/// The whole pipeline; batches begin at the state's position. `trace` may be empty. The executor
/// must be allocated before it runs.
[[nodiscard]] Pipeline compose_training(const Training& training,
                                        const std::filesystem::path& trace,
                                        Logger::Watchers watchers);

/// Takes the executor's memory and writes the first weights, a function of the seed.
void allocate(const Training& training);

}  // namespace millrace::apps
