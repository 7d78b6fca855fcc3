#pragma once
// From a functor to a gpu::Kernel. A functor is a struct of pointers and numbers with
//   MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const;
// called once for each i in [0, count), in any order. The same function runs on the GPU and in a
// loop on the host. Only .cu files make launches; what functors need is in element.h and chunk.h.

#include <millrace/core/host_device.h>
#include <millrace/gpu/kernels/element.h>
#include <millrace/gpu/launch.h>

#include <algorithm>
#include <cstdint>

namespace millrace::gpu {

/// Threads of a block. Four blocks fit a multiprocessor of any GPU, so a kernel has 64 registers.
inline constexpr int kThreads = 256;
inline constexpr int kBlocks = 4;
/// Enough to fill every GPU several times; with more work than that, threads go on in strides.
inline constexpr std::int64_t kMostBlocks = 16384;

#ifdef __CUDACC__

template <class F>
__global__ void __launch_bounds__(kThreads, kBlocks)
    run_on_device(const __grid_constant__ F functor, std::int64_t count) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kThreads;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < count;
       i += step) {
    functor(i);
  }
}

template <class F>
int launch_on_device(const void* arguments, std::int64_t count, void* stream) {
  if (count <= 0) return cudaSuccess;
  const std::int64_t blocks = std::min((count + kThreads - 1) / kThreads, kMostBlocks);
  void* parameters[] = {const_cast<void*>(arguments), &count};
  return cudaLaunchKernel(reinterpret_cast<const void*>(&run_on_device<F>),
                          dim3(static_cast<unsigned>(blocks)), dim3(kThreads), parameters, 0,
                          static_cast<cudaStream_t>(stream));
}

template <class F>
void run_on_host(const void* arguments, std::int64_t count) {
  const F& functor = *static_cast<const F*>(arguments);
  for (std::int64_t i = 0; i < count; ++i) functor(i);
}

/// A launch of `count` calls. A functor type has one name.
template <class F>
Launch launch_of(const char* name, const F& functor, std::int64_t count) {
  static const Kernel kernel{name, &launch_on_device<F>, &run_on_host<F>};
  return Launch::of(kernel, functor, count);
}

#endif  // __CUDACC__

}  // namespace millrace::gpu
