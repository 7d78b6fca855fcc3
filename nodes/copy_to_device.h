#pragma once
// Brings a batch to where the engine's steps read it. On a CPU it only passes a pointer.

#include <millrace/image/augmentation.h>
#include <millrace/nn/engine.h>
#include <millrace/nodes/device_batch.h>
#include <millrace/pipeline/pipeline.h>

#include <cstdint>
#include <memory>

namespace millrace {

/// A node: a host batch and a free device batch -> the filled device batch, once the copy has
/// ended. Of a host batch without pixels its rows of resident samples are copied (resident.h). The
/// device batch keeps the host batch until Cast. The slots of device batches are of the same
/// engine. Throws Error for a batch whose source did not stamp its size, and for a target that is
/// NaN where the slots do not weigh outputs.
class CopyToDevice {
 public:
  explicit CopyToDevice(std::shared_ptr<const nn::Engine> engine);
  /// Resident images of training batches are moved on the device just as Augment would move them
  /// on the host. The slots are of a factory that moves. Throws UsageError unless the options are
  /// the padded crop and flips alone.
  CopyToDevice& move_as(const AugmentOptions& options, std::uint64_t seed);
  Pending<Lease<DeviceBatch>> operator()(const With<Lease<HostBatch>, DeviceBatch>& batch) const;

 private:
  void draw_moves(const HostBatch& host, DeviceBatch& batch) const;

  std::shared_ptr<const nn::Engine> engine_;
  AugmentOptions moves_{};
  std::uint64_t seed_ = 0;
};

}  // namespace millrace
