#include <millrace/gpu/cuda/cuda_facts.h>

#include <millrace/core/error.h>
#include <millrace/gpu/cuda/cublas_lt_library.h>
#include <millrace/gpu/cuda/cuda_objects.h>
#include <millrace/gpu/cuda/cudnn_plans.h>

#include <fstream>

namespace millrace::gpu::detail {
namespace {

// 13020 -> "13.2".
std::string version_of(int number) {
  return concat(number / 1000, ".", number % 1000 / 10);
}

// The package's version, as nvidia-smi prints it, or else that of the CUDA that it can do.
std::string driver_version(int number) {
  std::ifstream file("/sys/module/nvidia/version");
  std::string version;
  if (file >> version) return version;
  return concat("for CUDA ", version_of(number));
}

std::string reason(cudaError_t error) {
  int driver = 0;
  (void)cudaDriverGetVersion(&driver);
  switch (error) {
    case cudaErrorStubLibrary:
      return "libcuda.so.1 is the stub of the CUDA toolkit, no driver: take its folder out of "
             "LD_LIBRARY_PATH, and install the NVIDIA driver if there is none";
    case cudaErrorInsufficientDriver:
      if (driver > 0) {
        return concat("the NVIDIA driver is for CUDA ", version_of(driver), ", too old for CUDA ",
                      version_of(CUDART_VERSION), ": update the driver");
      }
      return "no NVIDIA driver: install it to use a GPU";
    case cudaErrorNoDevice:
      return "the NVIDIA driver shows no GPU: look at nvidia-smi and at CUDA_VISIBLE_DEVICES";
    default:
      return concat("CUDA does not start: ", cudaGetErrorString(error), " (",
                    cudaGetErrorName(error), "); does nvidia-smi work?");
  }
}

}  // namespace

DeviceCount count_devices() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && count > 0) return {.count = count, .why_none = {}};
  (void)cudaGetLastError();
  return {.count = 0, .why_none = reason(error == cudaSuccess ? cudaErrorNoDevice : error)};
}

std::string missing_library() {
  try {
    (void)cublas_lt().version();
    (void)cudnn_version();
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

DeviceFacts facts_of(int index) {
  cudaDeviceProp properties{};
  check_cuda(cudaGetDeviceProperties(&properties, index), "facts of device ", index);
  int driver = 0;
  int runtime = 0;
  check_cuda(cudaDriverGetVersion(&driver), "version of the driver");
  check_cuda(cudaRuntimeGetVersion(&runtime), "version of CUDA");
  return {.name = properties.name,
          .capability = 10 * properties.major + properties.minor,
          .multiprocessors = properties.multiProcessorCount,
          .memory = {properties.totalGlobalMem},
          .driver = driver_version(driver),
          .cuda = version_of(runtime),
          .cudnn = cudnn_version(),
          .cublas = cublas_lt().version()};
}

}  // namespace millrace::gpu::detail
