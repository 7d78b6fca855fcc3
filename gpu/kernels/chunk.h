#pragma once
// A few neighbouring elements of an arena, read and written as a whole where they all exist; and
// neighbouring channels of a row as float32, 16 bytes of the storage type at a time. Rows are
// stored padded to whole chunks, so that none reaches into the next row.

#include <millrace/core/host_device.h>
#include <millrace/gpu/kernels/element.h>

#include <cmath>
#include <cstdint>

namespace millrace::gpu {

template <class T, int N>
struct alignas(16) Chunk {
  T values[N];

  MILLRACE_HOST_DEVICE T& operator[](int k) { return values[k]; }
  MILLRACE_HOST_DEVICE const T& operator[](int k) const { return values[k]; }
};

/// How many elements of the storage type T are 16 bytes.
template <class T>
inline constexpr int kChunk = 16 / static_cast<int>(sizeof(T));

MILLRACE_HOST_DEVICE inline std::int64_t chunks_of(std::int64_t elements, int size) {
  return (elements + size - 1) / size;
}

/// Elements [begin, begin + N) of [0, end); zero from `end` on. `begin` is a multiple of N and the
/// arena begins at a multiple of 16 bytes.
template <int N, class T>
MILLRACE_HOST_DEVICE Chunk<T, N> read_chunk(const T* arena, std::int64_t begin, std::int64_t end) {
  if (begin + N <= end) return *reinterpret_cast<const Chunk<T, N>*>(arena + begin);
  Chunk<T, N> chunk{};
  for (int k = 0; k < N; ++k) {
    if (begin + k < end) chunk.values[k] = arena[begin + k];
  }
  return chunk;
}

template <int N, class T>
MILLRACE_HOST_DEVICE void write_chunk(T* arena, std::int64_t begin, std::int64_t end,
                                      const Chunk<T, N>& chunk) {
  if (begin + N <= end) {
    *reinterpret_cast<Chunk<T, N>*>(arena + begin) = chunk;
    return;
  }
  for (int k = 0; k < N; ++k) {
    if (begin + k < end) arena[begin + k] = chunk.values[k];
  }
}

/// float32 values of stored ones.
template <class T, int N>
MILLRACE_HOST_DEVICE Chunk<float, N> floats(const Chunk<T, N>& stored) {
  Chunk<float, N> result;
  for (int k = 0; k < N; ++k) result.values[k] = load(stored.values + k);
  return result;
}

template <class T, int N>
MILLRACE_HOST_DEVICE Chunk<T, N> rounded(const Chunk<float, N>& values) {
  Chunk<T, N> result;
  for (int k = 0; k < N; ++k) store(result.values + k, values.values[k]);
  return result;
}

/// x += factor * y.
template <int N>
MILLRACE_HOST_DEVICE void add(Chunk<float, N>& x, float factor, const Chunk<float, N>& y) {
  for (int k = 0; k < N; ++k) x.values[k] += factor * y.values[k];
}

/// The sum of squares.
template <int N>
MILLRACE_HOST_DEVICE double squares(const Chunk<float, N>& x) {
  double sum = 0;
  for (int k = 0; k < N; ++k) {
    sum += static_cast<double>(x.values[k]) * static_cast<double>(x.values[k]);
  }
  return sum;
}

// ---- channels of a row --------------------------------------------------------------------------

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
