#pragma once
// A batch in the memory of an engine, ready for a step.

#include <millrace/core/buffer.h>
#include <millrace/nn/engine.h>
#include <millrace/nodes/host_batch.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace millrace {

/// What CopyToDevice fills, Cast turns into the model's input and TrainStep reads.
struct DeviceBatch {
  Shape sample;  ///< of the model's input
  /// The samples, where the engine has memory of its own; else null.
  std::unique_ptr<nn::DeviceInput> device;
  Buffer input;   ///< float32 [capacity][sample], normalised; empty if there is a `device`
  Buffer labels;  ///< int32 [capacity], or float32 [capacity][K]; in host memory
  std::int64_t target_width = 0;  ///< K; 0: labels are numbers of classes
  bool learns_input = false;      ///< the target is the input itself; `labels` is then not used
  bool weighs_outputs = false;    ///< each output has a weight: 0 where its target is NaN, unknown
  std::vector<float> weights;     ///< [capacity], or [capacity][K]
  std::uint32_t pass = 0;         ///< of the first sample
  /// Position in the pass; samples of a later pass than the first one's count on from 2^32 a pass.
  std::vector<std::uint64_t> positions;
  std::vector<nn::Move> moves;  ///< [capacity] of resident images that are moved; else empty
  Lease<HostBatch> host;        ///< the pixels, until they are cast
  std::int64_t size = 0;
  std::int64_t holes = 0;
  BatchTag tag;

  /// For its pool: a batch that was dropped before Cast gives the host batch back.
  void recycle() noexcept { host.reset(); }
  /// As an engine takes it.
  [[nodiscard]] nn::Batch view() const;
};

/// Makes the slots of a pool of device batches.
struct DeviceBatchFactory {
  std::shared_ptr<const nn::Engine> engine;
  Shape sample;
  DType dtype = DType::u8;  ///< of the host batches that are copied
  std::int64_t capacity = 32;
  std::int64_t target_width = 0;  ///< of the host batches
  bool learns_input = false;
  std::int64_t step = 0;  ///< samples of a step, where a batch holds several (BatchTag::rows)
  /// Where the samples lie already, if they do; then host batches name them by their rows.
  std::shared_ptr<const nn::ResidentPixels> resident{};
  bool moves = false;  ///< resident images are moved on the device: CopyToDevice::move_as()
  /// Targets that are NaN are unknown and left out of the loss, which must be a mean over outputs.
  bool weighs_outputs = false;

  [[nodiscard]] DeviceBatch operator()() const;
  [[nodiscard]] Bytes bytes() const;         ///< of one slot in host memory
  [[nodiscard]] Bytes device_bytes() const;  ///< of one slot in the device's own memory

 private:
  [[nodiscard]] std::uint64_t weights_a_sample() const;
  [[nodiscard]] nn::DeviceInputLayout layout() const;
  [[nodiscard]] std::uint64_t input_bytes() const;
};

}  // namespace millrace
