#include "gpu/device_under_test.h"

#include <millrace/gpu/fake/recording_device.h>

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
std::shared_ptr<Device> fresh_device() {
  return RecordingDevice::make();
}
std::vector<std::string> violations(const Device& device) {
  return dynamic_cast<const RecordingDevice&>(device).violations();
}
std::uint64_t launches() {
  return device()->record().size();
}
bool has_all_fusions() {
  return true;
}
bool is_gpu() {
  return false;
}

}  // namespace millrace::gpu::test
