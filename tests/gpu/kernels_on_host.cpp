#include "gpu/kernel_device.h"

namespace millrace::gpu::test {

// operator new aligns to 16 bytes.
std::pmr::memory_resource* kernel_memory() {
  return std::pmr::new_delete_resource();
}

void run_kernel(const Launch& launch) {
  launch.kernel->run_on_host(launch.arguments.data(), launch.count);
}

}  // namespace millrace::gpu::test
