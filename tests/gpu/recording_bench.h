#pragma once
// A recording device with two streams, for what it keeps in order and finds wrong.

#include <millrace/gpu/fake/recording_device.h>

#include <millrace/core/error.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "catch.h"

namespace millrace::gpu::test {

inline const Bytes kSize{1024};

inline bool mentions(const std::vector<std::string>& lines, const std::string& words) {
  for (const std::string& line : lines) {
    if (line.find(words) != std::string::npos) return true;
  }
  return false;
}

/// A device with two streams, an event, and memory on both sides.
struct RecordingBench {
  explicit RecordingBench(Faults faults = {}) : device(RecordingDevice::make(std::move(faults))) {}

  std::shared_ptr<RecordingDevice> device;
  std::unique_ptr<Stream> copying = device->make_stream("copy");
  std::unique_ptr<Stream> computing = device->make_stream("compute");
  std::unique_ptr<Event> event = device->make_event(false);
  Buffer host = device->allocate_pinned(kSize);
  Buffer memory = device->allocate(kSize, "activations");
  Buffer other = device->allocate(kSize, "gradients");

  void upload() {
    device->copy(*copying, memory.data(), host.data(), kSize, Device::Copy::to_device);
  }
  void use() {
    device->copy(*computing, other.data(), memory.data(), kSize, Device::Copy::on_device);
  }
  void pass(Stream& from, Stream& to) {
    device->record(*event, from);
    device->wait(to, *event);
  }
  void finish(Stream& stream) {
    device->record(*event, stream);
    device->synchronize(*event);
  }
};

}  // namespace millrace::gpu::test
