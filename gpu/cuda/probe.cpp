#include <millrace/gpu/cuda/cuda_device.h>

#include <millrace/core/error.h>
#include <millrace/gpu/cuda/cuda_facts.h>

namespace millrace::gpu {

Probe probe() {
  const detail::DeviceCount found = detail::count_devices();
  if (found.count == 0) return {.devices = {}, .why_none = found.why_none};
  if (std::string missing = detail::missing_library(); !missing.empty()) {
    return {.devices = {}, .why_none = std::move(missing)};
  }
  Probe probe;
  try {
    for (int i = 0; i < found.count; ++i) probe.devices.push_back(detail::facts_of(i));
  } catch (const Error& error) {
    return {.devices = {}, .why_none = error.what()};
  }
  return probe;
}

}  // namespace millrace::gpu
