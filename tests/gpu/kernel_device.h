#pragma once
// What kernels run on in tests: the host, in plain loops, or the GPU (two programs of one suite).

#include <millrace/gpu/launch.h>

#include <memory_resource>

namespace millrace::gpu::test {

/// Memory that kernels and the host both read and write, aligned to 16 bytes at least.
[[nodiscard]] std::pmr::memory_resource* kernel_memory();

/// Does a launch on such memory, and waits for it.
void run_kernel(const Launch& launch);

}  // namespace millrace::gpu::test
