#pragma once
// What a training run reads: in which order, into which batches, and the stages from an image's
// file to a batch in host memory.

#include "apps/training.h"

#include <millrace/pipeline/pipeline.h>

#include <cstdint>

namespace millrace::apps {

/// What becomes of an image that cannot be read.
[[nodiscard]] OnError bad_image_policy(const TrainSpec& options);

/// The source of the run's batches.
[[nodiscard]] DirectoryReader make_reader(const Training& training);

/// Whether images are flipped or cropped where they lie, anew in each epoch.
[[nodiscard]] bool moves_on_device(const Training& training);

/// Steps of a whole run: updates, of which --accumulate makes one of several batches.
[[nodiscard]] std::uint64_t run_steps(const TrainSpec& options, const DirectoryReader& reader);

/// How many training steps go in one batch: 1 where something acts between any two of them, and
/// where several batches make one step.
[[nodiscard]] std::uint32_t steps_together(const Training& training);

/// What makes them for the run, each with room for so many steps. The second form: as many as the
/// run takes together.
[[nodiscard]] DeviceBatchFactory device_batches(const Training& training, std::uint32_t steps);
[[nodiscard]] DeviceBatchFactory device_batches(const Training& training);
/// The same for host batches of one step, with pixels.
[[nodiscard]] HostBatchFactory host_batches(const Training& training);
/// Charges what the data sets keep of their files.
void charge_indexes(Pipeline& pipeline, const Training& training);

/// Reads batches into the slots of the pool.
Stream<Lease<HostBatch>> add_reading(Pipeline& pipeline, const Training& training,
                                     DirectoryReader reader, const Pool<HostBatch>& host);

}  // namespace millrace::apps
