#pragma once
// The device suite runs on two devices: CUDA's, where there is a GPU, and the recording device,
// which shows on any machine that the suite itself is right.

#include <millrace/gpu/device.h>

#include <memory>

namespace millrace::gpu::test {

/// Null: there is none, and the line that is printed here makes ctest count the case as skipped.
[[nodiscard]] std::shared_ptr<Device> device_under_test();

/// How much work it has launched so far. A check on a device that launched none has checked
/// nothing.
[[nodiscard]] std::uint64_t launches();

/// True where every epilogue of a product and every fused convolution is to be had.
[[nodiscard]] bool has_all_fusions();

}  // namespace millrace::gpu::test
