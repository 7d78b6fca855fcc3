#pragma once
// Brings a batch to where the engine's steps read it. On a CPU that is handing over a pointer.

#include <millrace/nn/engine.h>
#include <millrace/nodes/device_batch.h>
#include <millrace/pipeline/pipeline.h>

#include <memory>

namespace millrace {

/// A node: a host batch and a free device batch -> the filled device batch. Where the engine shares
/// host memory the host batch is kept by the device batch until Cast has read its pixels.
class CopyToDevice {
 public:
  /// Throws Error if the engine does not share host memory: copying to one comes with its engine.
  explicit CopyToDevice(std::shared_ptr<const nn::Engine> engine);
  Lease<DeviceBatch> operator()(const With<Lease<HostBatch>, DeviceBatch>& batch) const;

 private:
  std::shared_ptr<const nn::Engine> engine_;
};

}  // namespace millrace
