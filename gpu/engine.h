#pragma once
// The engine for NVIDIA GPUs. A training step is captured once as a CUDA graph and launched from
// then on; batches come through device_input() slots on a separate stream.

#include <millrace/gpu/device.h>
#include <millrace/gpu/engine_options.h>
#include <millrace/nn/engine.h>

#include <memory>

namespace millrace::gpu {

/// An engine on the device. Everything but `device` comes from CUDA if it is made by
/// open_device(), or from a recording device in tests. Throws UsageError for options out of range.
[[nodiscard]] std::shared_ptr<nn::Engine> make_engine(std::shared_ptr<Device> device,
                                                      const EngineOptions& options);

}  // namespace millrace::gpu
