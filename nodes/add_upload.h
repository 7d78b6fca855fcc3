#pragma once
// From batches in host memory to batches that an engine's steps can read: the stages that copy and
// cast, in one call, for your own graph.
//
//   auto inputs = add_upload(p, batches,
//                            {.batches = {.engine = engine, .sample = model.input, .capacity = 32},
//                             .preprocessing = model.preprocessing});

#include <millrace/image/augmentation.h>
#include <millrace/nn/model.h>
#include <millrace/nodes/device_batch.h>
#include <millrace/pipeline/pipeline.h>

#include <cstdint>
#include <optional>

namespace millrace {

/// Slots of a pool of device batches: one is computed with while the next one is filled.
inline constexpr int kDeviceBatches = 2;

struct UploadOptions {
  DeviceBatchFactory batches;  ///< as the host batches are; `engine` is the one that copies
  /// The model's; absent: what is usual for such samples (nn::default_preprocessing()): pixels are
  /// divided by 255, features stay as they are.
  std::optional<nn::Preprocessing> preprocessing{};
  int slots = kDeviceBatches;
  AugmentOptions moves{};  ///< of resident images, see CopyToDevice::move_as()
  std::uint64_t seed = 0;  ///< of these changes
};

/// device slot - copy - cast, over a pool of device batches of the stages' own. Throws UsageError
/// as CopyToDevice and Cast do.
Stream<Lease<DeviceBatch>> add_upload(Pipeline& pipeline, Stream<Lease<HostBatch>> batches,
                                      const UploadOptions& options);

}  // namespace millrace
