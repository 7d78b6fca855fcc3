#pragma once
// The engine on a recording device that can be told to fail, for what only such a device shows.

#include <millrace/gpu/fake/recording_device.h>

#include <memory>
#include <string>
#include <vector>

#include "gpu/engines.h"

namespace millrace::test {

/// An engine and its device, which finds nothing wrong with what the engine asked for.
struct RecordedEngine {
  explicit RecordedEngine(const gpu::EngineOptions& options = {}, const gpu::Faults& faults = {})
      : device(gpu::RecordingDevice::make(faults)), engine(gpu::make_engine(device, options)) {}
  explicit RecordedEngine(nn::Precision precision)
      : RecordedEngine(gpu::EngineOptions{.precision = precision}) {}

  void check_device() const {
    for (const std::string& violation : device->violations()) FAIL_CHECK(violation);
  }

  std::shared_ptr<gpu::RecordingDevice> device;
  std::shared_ptr<nn::Engine> engine;
};

}  // namespace millrace::test
