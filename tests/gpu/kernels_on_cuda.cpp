#include "gpu/kernel_device.h"

#include "gpu/device_under_test.h"

#include <algorithm>
#include <bit>
#include <map>
#include <vector>

namespace millrace::gpu::test {
namespace {

/// Pinned memory, which a GPU reaches under the host's addresses. Given back, it is kept for the
/// next of its size: pinning takes long.
class PinnedMemory : public std::pmr::memory_resource {
  static std::size_t size_for(std::size_t bytes) {
    return std::bit_ceil(std::max<std::size_t>(bytes, 256));
  }
  void* do_allocate(std::size_t bytes, std::size_t /*alignment*/) override {
    std::vector<void*>& spare = spare_[size_for(bytes)];
    if (spare.empty()) {
      buffers_.push_back(device_under_test()->allocate_pinned({size_for(bytes)}));
      return buffers_.back().data();
    }
    void* const memory = spare.back();
    spare.pop_back();
    return memory;
  }
  void do_deallocate(void* memory, std::size_t bytes, std::size_t /*alignment*/) override {
    spare_[size_for(bytes)].push_back(memory);
  }
  [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override {
    return this == &other;
  }

  std::map<std::size_t, std::vector<void*>> spare_;
  std::vector<Buffer> buffers_;
};

}  // namespace

// Kept to the end of the process: CUDA may be gone before static objects are.
std::pmr::memory_resource* kernel_memory() {
  static auto* const memory = new PinnedMemory;
  return memory;
}

void run_kernel(const Launch& launch) {
  const auto device = device_under_test();
  static auto* const stream = device->make_stream("kernels under test").release();
  static auto* const event = device->make_event(false).release();
  device->launch(*stream, launch);
  device->record(*event, *stream);
  device->synchronize(*event);
}

}  // namespace millrace::gpu::test
