#include <millrace/gpu/cuda/cuda_call.h>

#include <millrace/gpu/cuda/cuda_device.h>

namespace millrace::gpu {
namespace detail {

void throw_cuda_error(cudaError_t error, const std::string& what) {
  (void)cudaGetLastError();
  const char* const advice =
      error == cudaErrorNoKernelImageForDevice
          ? "; build with this card's architecture in CMAKE_CUDA_ARCHITECTURES"
          : "";
  throw Error(concat("cuda: ", what, ": ", cudaGetErrorString(error), " (", cudaGetErrorName(error),
                     ")", advice));
}

Counters& counters() noexcept {
  static Counters counters;
  return counters;
}

void use_device(int index) {
  check_cuda(cudaSetDevice(index), "use of device ", index);
}

}  // namespace detail

LaunchCounts launch_counts() noexcept {
  const detail::Counters& counters = detail::counters();
  return {.kernels = counters.kernels.load(),
          .library_calls = counters.library_calls.load(),
          .copies = counters.copies.load(),
          .graphs = counters.graphs.load()};
}

}  // namespace millrace::gpu
