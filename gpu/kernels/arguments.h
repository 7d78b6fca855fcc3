#pragma once
// What the factories of launches check, and the sizes that they declare.

#include <millrace/core/error.h>
#include <millrace/gpu/kernels.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace millrace::gpu {

/// Channels that a call handles: 16 bytes of the storage type.
inline std::int64_t chunk_of(Type type) {
  return 16 / static_cast<std::int64_t>(size_of(type));
}

inline std::size_t bytes_of(Type type, std::int64_t elements) {
  return static_cast<std::size_t>(elements) * size_of(type);
}
inline std::size_t float_bytes(std::int64_t elements) {
  return bytes_of(Type::f32, elements);
}

inline void check_memory(const char* kernel, std::initializer_list<const void*> pointers) {
  for (const void* pointer : pointers) {
    MILLRACE_CHECK(pointer != nullptr && reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0,
                   kernel, ": memory must begin at a multiple of 16 bytes, not at ", pointer);
  }
}

inline void check_channels(const char* kernel, Type type, std::int64_t channels,
                           std::int64_t stored) {
  MILLRACE_CHECK(channels > 0 && channels <= stored && stored % chunk_of(type) == 0, kernel, ": ",
                 channels, " channels of ", to_string(type), " need a multiple of ", chunk_of(type),
                 " stored ones, not ", stored);
}

inline void check_plane(const char* kernel, Type type, const Plane& plane) {
  MILLRACE_CHECK(plane.rows > 0, kernel, ": no rows");
  check_channels(kernel, type, plane.channels, plane.stored);
}

}  // namespace millrace::gpu
