// The recording device: what it keeps in order, what it finds wrong, and how it fails when told to.

#include <millrace/gpu/recording_device.h>

#include <millrace/core/error.h>

#include <cmath>
#include <cstring>
#include <future>
#include <string>
#include <vector>

#include "catch.h"

using namespace millrace;
using namespace millrace::gpu;

namespace {

using Copy = Device::Copy;

const Bytes kSize{1024};

bool mentions(const std::vector<std::string>& lines, const std::string& words) {
  for (const std::string& line : lines) {
    if (line.find(words) != std::string::npos) return true;
  }
  return false;
}

/// A device with two streams, an event, and memory on both sides.
struct Bench {
  explicit Bench(Faults faults = {}) : device(RecordingDevice::make(std::move(faults))) {}

  std::shared_ptr<RecordingDevice> device;
  std::unique_ptr<Stream> copying = device->make_stream("copy");
  std::unique_ptr<Stream> computing = device->make_stream("compute");
  std::unique_ptr<Event> event = device->make_event(false);
  Buffer host = device->allocate_pinned(kSize);
  Buffer memory = device->allocate(kSize, "activations");
  Buffer other = device->allocate(kSize, "gradients");

  void upload() { device->copy(*copying, memory.data(), host.data(), kSize, Copy::to_device); }
  void use() {
    device->copy(*computing, other.data(), memory.data(), kSize, Copy::on_device);
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

}  // namespace

TEST_CASE("two streams that touch the same memory need an event between them") {
  Bench bench;
  bench.upload();
  SECTION("in order") {
    bench.pass(*bench.copying, *bench.computing);
    bench.use();
    CHECK(bench.device->violations().empty());
  }
  SECTION("out of order") {
    bench.use();
    CHECK(mentions(bench.device->violations(), "no order between to_device (writes, stream copy) "
                                               "and on_device (reads, stream compute): "
                                               "activations + 0"));
  }
}
