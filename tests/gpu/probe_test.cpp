#include "catch.h"

#include <millrace/core/error.h>
#include <millrace/gpu/cuda/cuda_device.h>

using namespace millrace;
using namespace millrace::gpu;
using Catch::Contains;

TEST_CASE("A probe finds devices, or says in one line why there are none") {
  const Probe found = probe();
  INFO(found.why_none);
  CHECK(found.devices.empty() == !found.why_none.empty());
  CHECK_THAT(found.why_none, !Contains("\n"));
  for (const DeviceFacts& device : found.devices) {
    CHECK_FALSE(device.name.empty());
    CHECK(device.capability >= 50);
    CHECK(device.multiprocessors > 0);
    CHECK(device.memory > Bytes{0});
    CHECK_FALSE(device.driver.empty());
    CHECK_FALSE(device.cuda.empty());
    CHECK_FALSE(device.cudnn.empty());
    CHECK_FALSE(device.cublas.empty());
  }
}

TEST_CASE("Opening a device that is not there throws what the probe said") {
  const Probe found = probe();
  if (found.devices.empty()) {
    CHECK_THROWS_WITH(open_device(), Contains(found.why_none));
  } else {
    const int none = static_cast<int>(found.devices.size());
    CHECK_THROWS_WITH(open_device({.index = none}), Contains("no device"));
    CHECK_THROWS_WITH(open_device({.index = -1}), Contains("no device"));
  }
}

TEST_CASE("Probing launches nothing") {
  (void)probe();
  const LaunchCounts counts = launch_counts();
  CHECK(counts.kernels == 0);
  CHECK(counts.graphs == 0);
}
