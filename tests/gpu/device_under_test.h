#pragma once
// Suites of the room run on two devices: CUDA's, where there is a GPU, and the recording device,
// which shows on any machine that the suite itself is right.

#include <millrace/gpu/device.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace millrace::gpu::test {

/// Null: there is none, and the line that is printed here makes ctest count the case as skipped.
/// Programs for CUDA's device end there (cuda_main.cpp), so that their cases need not ask.
[[nodiscard]] std::shared_ptr<Device> device_under_test();

/// The same GPU again, or another recording device, whose record is empty.
[[nodiscard]] std::shared_ptr<Device> fresh_device();

/// What was unsafe in what a recording device was asked for, a line each. A GPU does not tell.
[[nodiscard]] std::vector<std::string> violations(const Device& device);

/// How much work the device under test has launched so far. A check on a device that launched none
/// has checked nothing.
[[nodiscard]] std::uint64_t launches();

/// True where every epilogue of a product and every fused convolution is to be had.
[[nodiscard]] bool has_all_fusions();

/// CUDA's device: sums come in orders that nobody fixed, and 16-bit roundings in places that a
/// library chose.
[[nodiscard]] bool is_gpu();

}  // namespace millrace::gpu::test
