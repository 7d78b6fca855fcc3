#pragma once
// --replay: the first batches are loaded once and fed over and over, to measure what comes after
// the input (training/replay.h).

#include "apps/training.h"

#include <millrace/pipeline/pipeline.h>

#include <cstdint>
#include <stop_token>
#include <string>

namespace millrace::apps {

/// Throws UsageError where an epoch of `steps` batches has not as many as are replayed.
void check_replay(const TrainSpec& options, std::uint32_t steps);

/// For --replay: loads the batches that are fed later, and says what was left out. Their memory is
/// in the plan of compose_training(), too. Throws Stopped, or what the pipeline throws.
Report load_kept(const Training& training, std::stop_token stop);

/// One line for reports, of a run with --replay; else empty.
[[nodiscard]] std::string describe_replay(const Training& training);

/// Batches that load_kept() has kept, again and again, over a pool of slots.
Stream<Lease<HostBatch>> add_replay(Pipeline& pipeline, const Training& training);

}  // namespace millrace::apps
