#pragma once
// Neighbouring channels of a row as float32, 16 bytes of the storage type at a time. Rows are
// stored padded to whole chunks, so that none reaches into the next row.

#include <millrace/core/host_device.h>
#include <millrace/gpu/kernels/chunk.h>

#include <cmath>
#include <cstdint>

namespace millrace::gpu {

template <int N>
using Lanes = Chunk<float, N>;

/// `at` is a multiple of 16 bytes, and N elements of T are whole chunks of 16 bytes.
template <int N, class T>
MILLRACE_HOST_DEVICE Lanes<N> load_lanes(const T* at) {
  static_assert(N % kChunk<T> == 0);
  return floats(*reinterpret_cast<const Chunk<T, N>*>(at));
}

/// Zero from lane `counting` on: channels that only pad.
template <int N, class T>
MILLRACE_HOST_DEVICE void store_lanes(T* at, Lanes<N> lanes, std::int64_t counting = N) {
  static_assert(N % kChunk<T> == 0);
  for (int k = 0; k < N; ++k) lanes[k] = k < counting ? lanes[k] : 0.0F;
  *reinterpret_cast<Chunk<T, N>*>(at) = rounded<T>(lanes);
}

struct Divided {
  std::int64_t quotient, remainder;
};
/// Of numbers that are not negative. A GPU divides 32 bits several times as fast as 64.
MILLRACE_HOST_DEVICE inline Divided divide(std::int64_t number, std::int64_t by) {
  if (((number | by) >> 32) == 0) {
    const auto n = static_cast<std::uint32_t>(number), d = static_cast<std::uint32_t>(by);
    return {n / d, n % d};
  }
  return {number / by, number % by};
}

/// 1 / sqrt(x); on a GPU to two units of the last place, several times as fast as both by rule.
MILLRACE_HOST_DEVICE inline float inverse_root(float x) {
#ifdef __CUDA_ARCH__
  return rsqrtf(x);
#else
  return 1 / std::sqrt(x);
#endif
}

/// max(v, 0) that lets a NaN through: a diverged run must not look healthy.
MILLRACE_HOST_DEVICE inline float rectified(float v) {
  return v < 0 ? 0.0F : v;
}

}  // namespace millrace::gpu
