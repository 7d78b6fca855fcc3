#pragma once
// Brings a batch to where the engine's steps read it. On a CPU that is handing over a pointer.

#include <millrace/nn/engine.h>
#include <millrace/nodes/device_batch.h>
#include <millrace/pipeline/pipeline.h>

#include <memory>

namespace millrace {

/// A node: a host batch and a free device batch -> the filled device batch, once the copy has
/// ended. Of a host batch without pixels its rows of resident samples are copied (resident.h). The
/// device batch keeps the host batch until Cast. The slots of device batches are of the same
/// engine.
class CopyToDevice {
 public:
  explicit CopyToDevice(std::shared_ptr<const nn::Engine> engine);
  Pending<Lease<DeviceBatch>> operator()(const With<Lease<HostBatch>, DeviceBatch>& batch) const;

 private:
  std::shared_ptr<const nn::Engine> engine_;
};

}  // namespace millrace
