#pragma once
// Calls of the CUDA runtime: what goes wrong becomes one line that says what was asked for, and
// what was launched is counted.

#include <millrace/core/error.h>

#include <cuda_runtime_api.h>

#include <atomic>
#include <cstdint>
#include <string>

namespace millrace::gpu::detail {

/// "cuda: copy of 3 MiB to_device: an illegal memory access was encountered
/// (cudaErrorIllegalAddress)". Clears the error where CUDA lets it be cleared.
[[noreturn]] void throw_cuda_error(cudaError_t error, const std::string& what);

/// `what` is put together only where there is an error.
template <class... Parts>
void check_cuda(cudaError_t error, const Parts&... what) {
  if (error != cudaSuccess) throw_cuda_error(error, concat(what...));
}

/// What launch_counts() reads.
struct Counters {
  std::atomic<std::uint64_t> kernels{0}, library_calls{0}, copies{0}, graphs{0};
};
[[nodiscard]] Counters& counters() noexcept;

/// CUDA's current device is a property of a thread, and threads of all kinds come here.
void use_device(int index);

}  // namespace millrace::gpu::detail
