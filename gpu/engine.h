#pragma once
// The engine for NVIDIA GPUs. A training step is captured once as a CUDA graph and replayed;
// batches come through device_input() slots on a stream of their own.

#include <millrace/gpu/device.h>
#include <millrace/nn/engine.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace millrace::gpu {

struct EngineOptions {
  nn::Precision precision = nn::Precision::fp32;
  nn::LossScaleOptions loss_scale{};  ///< of fp16
  bool graphs = true;                 ///< false: every step is queued operation by operation
  Bytes workspace{std::uint64_t{256} << 20};  ///< the most that one operation may have
  /// How long the host waits for an event of the device, in seconds, until it counts as lost: then
  /// everything that waits ends with an Error.
  double patience = 120;
};

/// An engine on the device. Everything but `device` comes from CUDA if it is made by
/// open_device(), or from a recording device in tests. Throws UsageError for options out of range.
[[nodiscard]] std::shared_ptr<nn::Engine> make_engine(std::shared_ptr<Device> device,
                                                      const EngineOptions& options);

}  // namespace millrace::gpu
