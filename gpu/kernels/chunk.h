#pragma once
// A few neighbouring elements of an arena, read and written as a whole where they all exist.

#include <millrace/core/host_device.h>
#include <millrace/gpu/kernels/element.h>

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

}  // namespace millrace::gpu
