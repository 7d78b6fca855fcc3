#pragma once
// Composes the training pipeline: the feed's stages - copy - cast - train - log.
// `train` runs it, `bench train` measures it and its loading half alone.

#include <millrace/pipeline/pipeline.h>
#include <millrace/training/logger.h>
#include <millrace/training/training.h>

#include <filesystem>

namespace millrace {

/// The whole pipeline; batches begin at the state's position. `trace` may be empty. The executor
/// must be allocated before it runs.
[[nodiscard]] Pipeline compose_training(const Training& training,
                                        const std::filesystem::path& trace,
                                        Logger::Watchers watchers);

/// The same with one of the training's feeds.
[[nodiscard]] Pipeline compose_training(const Training& training, const Feed& feed,
                                        const std::filesystem::path& trace,
                                        Logger::Watchers watchers);

/// The part of it that trains on the batches of your own graph: copy - cast - train -
/// log, with its charges. Batches are stamped as the run's reader would.
void train_on(Pipeline& pipeline, Stream<Lease<HostBatch>> batches, const Training& training,
              Logger::Watchers watchers = {});

/// Takes the executor's memory and writes the first weights, a function of the seed.
void allocate(const Training& training);

}  // namespace millrace
