#pragma once
// Kernels that add up: a team of threads makes a sum of parts, each thread one, added in the order
// of a fixed tree. The host does the same in loops, in the same order. A functor has
//   using Sum = ...;                          // with +=
//   std::int32_t width;                       // a power of two, at most kThreads
//   Sum part(std::int64_t team, int thread) const;
//   void finish(std::int64_t team, int thread, const Sum& sum) const;
// where a team makes `width` sums: finish() gets, for each thread below width, the sum of the parts
// of that thread, thread + width, thread + 2 width, ... Teams know nothing of each other.

#include <millrace/gpu/kernels/kernel.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#ifdef __CUDACC__

namespace millrace::gpu {

template <class F>
__global__ void __launch_bounds__(kThreads, kBlocks)
    run_teams_on_device(const __grid_constant__ F functor, std::int64_t teams) {
  __shared__ typename F::Sum sums[kThreads];
  const int thread = static_cast<int>(threadIdx.x);
  for (std::int64_t team = blockIdx.x; team < teams; team += gridDim.x) {
    sums[thread] = functor.part(team, thread);
    __syncthreads();
    for (int half = kThreads / 2; half >= functor.width; half /= 2) {
      if (thread < half) sums[thread] += sums[thread + half];
      __syncthreads();
    }
    if (thread < functor.width) functor.finish(team, thread, sums[thread]);
    __syncthreads();  // before the next team writes its parts
  }
}

template <class F>
int launch_teams_on_device(const void* arguments, std::int64_t teams, void* stream) {
  if (teams <= 0) return cudaSuccess;
  void* parameters[] = {const_cast<void*>(arguments), &teams};
  return cudaLaunchKernel(reinterpret_cast<const void*>(&run_teams_on_device<F>),
                          dim3(static_cast<unsigned>(std::min(teams, kMostBlocks))), dim3(kThreads),
                          parameters, 0, static_cast<cudaStream_t>(stream));
}

template <class F>
void run_teams_on_host(const void* arguments, std::int64_t teams) {
  const F& functor = *static_cast<const F*>(arguments);
  std::vector<typename F::Sum> sums(kThreads);
  for (std::int64_t team = 0; team < teams; ++team) {
    for (int thread = 0; thread < kThreads; ++thread) sums[thread] = functor.part(team, thread);
    for (int half = kThreads / 2; half >= functor.width; half /= 2) {
      for (int thread = 0; thread < half; ++thread) sums[thread] += sums[thread + half];
    }
    for (int thread = 0; thread < functor.width; ++thread) {
      functor.finish(team, thread, sums[thread]);
    }
  }
}

/// As launch_of(), with a team where that has a call.
template <class F>
Launch launch_of_teams(const char* name, const F& functor, std::int64_t teams) {
  static const Kernel kernel{name, &launch_teams_on_device<F>, &run_teams_on_host<F>};
  return Launch::of(kernel, functor, teams);
}

}  // namespace millrace::gpu

#endif  // __CUDACC__
