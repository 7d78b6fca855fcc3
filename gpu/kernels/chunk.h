#pragma once
// A few neighbouring elements of an arena, read and written as a whole where they all exist.

#include <millrace/core/host_device.h>

#include <cstdint>

namespace millrace::gpu {

template <class T, int N>
struct alignas(16) Chunk {
  T values[N];
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

}  // namespace millrace::gpu
