#include "gpu/device_under_test.h"

#include <millrace/gpu/recording_device.h>

namespace millrace::gpu::test {
namespace {

const std::shared_ptr<RecordingDevice>& device() {
  static const std::shared_ptr<RecordingDevice> device =
      RecordingDevice::make({.memory = {std::uint64_t{512} << 20}});
  return device;
}

}  // namespace

std::shared_ptr<Device> device_under_test() {
  return device();
}
std::uint64_t launches() {
  return device()->record().size();
}
bool has_all_fusions() {
  return true;
}

}  // namespace millrace::gpu::test
