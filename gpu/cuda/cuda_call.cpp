#include <millrace/gpu/cuda/cuda_call.h>

namespace millrace::gpu::detail {

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

}  // namespace millrace::gpu::detail
