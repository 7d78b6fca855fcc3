#pragma once
// --resident: the samples are decoded once, before the first epoch, and stay in the memory of the
// GPU; training then reads nothing, and takes many steps in one go (training/resident.h).

#include "apps/training.h"

#include <millrace/io/watch.h>
#include <millrace/pipeline/pipeline.h>

#include <memory>
#include <string>

namespace millrace::apps {

/// Throws UsageError for what --resident cannot go with. `engine`: one that was given, or null:
/// then the options name one.
void check_resident(const TrainSpec& options, const nn::Engine* engine);

/// For Training::resident, with all samples of the run in mind; takes no memory yet. Throws
/// UsageError where the device has not enough of it free for them, the model and its batches.
[[nodiscard]] std::shared_ptr<ResidentData> resident_data(const Training& training);

/// Takes the device memory, decodes all samples and leaves them there; `watch` is told how many.
/// The report says what was left out. Throws Stopped, or what the pipeline throws.
Report load_resident(const Training& training, const Watch& watch);

/// Batches of rows, over a pool of slots without pixels. Requires: load_resident() before the
/// pipeline runs.
Stream<Lease<HostBatch>> add_resident(Pipeline& pipeline, const Training& training);

/// "60,000 samples, 44.9 MiB"
[[nodiscard]] std::string describe_resident(const Training& training);
/// One line for reports.
[[nodiscard]] std::string resident_remark(const Training& training);

}  // namespace millrace::apps
