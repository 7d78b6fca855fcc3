#pragma once
// The GPUs of this machine.

#include <millrace/gpu/device.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace millrace::gpu {

/// What was found. Never throws if a device or driver is missing.
struct Probe {
  std::vector<DeviceFacts> devices;
  std::string why_none;  ///< "no NVIDIA driver", ...; empty if there are devices
};
[[nodiscard]] Probe probe();

struct OpenOptions {
  int index = 0;
  /// Where plans that were timed are kept between runs; empty: not kept.
  std::filesystem::path plan_cache{};
};
/// Throws Error with the reason where there is no such device.
[[nodiscard]] std::shared_ptr<Device> open_device(const OpenOptions& options = {});

/// Device memory and kernels were used: how many kernels, copies and graphs were launched by this
/// process. A check on a GPU that launched none has checked nothing.
struct LaunchCounts {
  std::uint64_t kernels = 0, library_calls = 0, copies = 0, graphs = 0;
};
[[nodiscard]] LaunchCounts launch_counts() noexcept;

}  // namespace millrace::gpu
