#pragma once
// What `evaluate` and `predict` share: samples that a trained model looks at once, in their order,
// and the stages that bring them to the engine.

#include <millrace/nn/engine.h>
#include <millrace/nodes/device_batch.h>
#include <millrace/nodes/directory_reader.h>
#include <millrace/nodes/host_batch.h>
#include <millrace/nodes/lost_samples.h>
#include <millrace/pipeline/pipeline.h>
#include <millrace/training/machine_spec.h>

#include <cstdint>
#include <memory>

namespace millrace::apps {

/// Refers to what outlives it.
struct OnePass {
  const nn::Model& model;
  const SampleSet& samples;
  const MachineSpec& machine;
  std::int64_t batch;
  std::uint64_t max_image_pixels;
  std::shared_ptr<const nn::Engine> engine;
};

[[nodiscard]] DirectoryReader make_reader(const OnePass& pass);
[[nodiscard]] HostBatchFactory host_batches(const OnePass& pass);
[[nodiscard]] DeviceBatchFactory device_batches(const OnePass& pass);

/// list - decode - standardize (if the preprocessing looks at whole samples) - batch - copy - cast,
/// over the two pools. `lost` may be null.
Stream<Lease<DeviceBatch>> add_inputs(Pipeline& pipeline, const OnePass& pass,
                                      DirectoryReader reader, const Pool<HostBatch>& host,
                                      const Pool<DeviceBatch>& device, OnError on_bad_image,
                                      std::shared_ptr<LostSamples> lost = nullptr);

}  // namespace millrace::apps
