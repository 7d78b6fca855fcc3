#pragma once
// Options of the engine for NVIDIA GPUs.

#include <millrace/core/bytes.h>
#include <millrace/nn/loss_scale.h>
#include <millrace/nn/precision.h>

#include <cstdint>

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

}  // namespace millrace::gpu
