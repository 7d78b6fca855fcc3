#pragma once
// Facts from CUDA about this machine's devices.

#include <millrace/gpu/device.h>

#include <string>

namespace millrace::gpu::detail {

/// How many devices there are; 0 with the reason, in one line, where none can be used.
struct DeviceCount {
  int count = 0;
  std::string why_none;
};
[[nodiscard]] DeviceCount count_devices();
/// Why NVIDIA's libraries cannot be used, in one line; empty: they can.
[[nodiscard]] std::string missing_library();
/// Throws Error. Requires: the libraries can be used.
[[nodiscard]] DeviceFacts facts_of(int index);

}  // namespace millrace::gpu::detail
