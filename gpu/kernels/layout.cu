#include <millrace/gpu/kernels.h>
#include <millrace/gpu/kernels/arguments.h>
#include <millrace/gpu/kernels/kernel.h>
#include <millrace/gpu/kernels/layout.h>

namespace millrace::gpu {
namespace {

template <class From>
Launch normalize_from(Type to, const void* x, void* y, const Plane& plane, const float* factor,
                      const float* offset, bool swaps) {
  return with_type(to, [&]<class T>() {
    return launch_of("normalize",
                     Normalize<From, T>{.x = static_cast<const From*>(x),
                                        .y = static_cast<T*>(y),
                                        .channels = plane.channels,
                                        .stored = plane.stored,
                                        .factor = factor,
                                        .offset = offset,
                                        .swaps = swaps},
                     plane.elements() / kChunk<T>);
  });
}

void check_flattening(const char* kernel, Type type, const Flattening& size) {
  MILLRACE_CHECK(size.samples > 0 && size.pixels > 0, kernel, ": no pixels");
  check_channels(kernel, type, size.channels, size.stored);
  check_channels(kernel, type, size.pixels * size.channels, size.width);
}

}  // namespace

Launch normalize(Type from, Type to, const void* x, void* y, const Plane& plane,
                 const float* factor, const float* offset, bool swaps) {
  check_plane("normalize", to, plane);
  check_memory("normalize", {y});
  MILLRACE_CHECK(from == Type::u8 || from == Type::f32, "images are u8 or f32, not ",
                 to_string(from));
  MILLRACE_CHECK(!swaps || plane.channels == 3, "only three channels can be swapped, not ",
                 plane.channels);
  return (from == Type::u8 ? normalize_from<std::uint8_t>(to, x, y, plane, factor, offset, swaps)
                           : normalize_from<float>(to, x, y, plane, factor, offset, swaps))
      .reads(x, bytes_of(from, plane.rows * plane.channels))
      .reads(factor, float_bytes(plane.channels))
      .reads(offset, float_bytes(plane.channels))
      .writes(y, bytes_of(to, plane.elements()));
}

Launch unpack(Type type, const void* x, float* y, const Plane& plane) {
  check_plane("unpack", type, plane);
  return with_type(type,
                   [&]<class T>() {
                     return launch_of(
                         "unpack",
                         Unpack<T>{static_cast<const T*>(x), y, plane.channels, plane.stored},
                         plane.rows * plane.channels);
                   })
      .reads(x, bytes_of(type, plane.elements()))
      .writes(y, float_bytes(plane.rows * plane.channels));
}

Launch pack(Type type, const float* x, void* y, const Plane& plane) {
  check_plane("pack", type, plane);
  check_memory("pack", {y});
  return with_type(type,
                   [&]<class T>() {
                     return launch_of("pack",
                                      Pack<T>{x, static_cast<T*>(y), plane.channels, plane.stored},
                                      plane.elements() / kChunk<T>);
                   })
      .reads(x, float_bytes(plane.rows * plane.channels))
      .writes(y, bytes_of(type, plane.elements()));
}

Launch flatten(Type type, const void* x, void* y, const Flattening& size) {
  check_flattening("flatten", type, size);
  check_memory("flatten", {y});
  return with_type(type,
                   [&]<class T>() {
                     return launch_of(
                         "flatten",
                         Flatten<T>{static_cast<const T*>(x), static_cast<T*>(y), size.pixels,
                                    size.channels, size.stored, size.width},
                         size.samples * size.width / kChunk<T>);
                   })
      .reads(x, bytes_of(type, size.samples * size.pixels * size.stored))
      .writes(y, bytes_of(type, size.samples * size.width));
}

Launch unflatten(Type type, const void* dy, void* dx, const Flattening& size) {
  check_flattening("unflatten", type, size);
  check_memory("unflatten", {dx});
  const std::int64_t elements = size.samples * size.pixels * size.stored;
  return with_type(type,
                   [&]<class T>() {
                     return launch_of(
                         "unflatten",
                         Unflatten<T>{static_cast<const T*>(dy), static_cast<T*>(dx), size.pixels,
                                      size.channels, size.stored, size.width},
                         elements / kChunk<T>);
                   })
      .reads(dy, bytes_of(type, size.samples * size.width))
      .writes(dx, bytes_of(type, elements));
}

}  // namespace millrace::gpu
