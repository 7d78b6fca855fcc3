#include <millrace/gpu/kernels.h>
#include <millrace/gpu/kernels/arguments.h>
#include <millrace/gpu/kernels/kernel.h>
#include <millrace/gpu/kernels/layout.h>

namespace millrace::gpu {
namespace {

template <class From>
Launch normalize_from(Type to, const void* x, void* y, const Plane& plane,
                      const NormalizeArguments& how) {
  return with_type(to, [&]<class T>() {
    return launch_of(
        "normalize",
        Normalize<From, T>{.x = static_cast<const From*>(x),
                           .y = static_cast<T*>(y),
                           .stored = plane.stored,
                           .chunk = {plane.channels, how.factor, how.offset, how.swaps}},
        plane.elements() / kChunk<T>);
  });
}

template <class From>
Launch gather_from(Type to, const void* x, const Gathering& size, void* y, const Plane& plane,
                   const NormalizeArguments& how) {
  return with_type(to, [&]<class T>() {
    return launch_of(
        "gather",
        GatherNormalize<From, T>{.x = static_cast<const From*>(x),
                                 .rows = size.rows,
                                 .y = static_cast<T*>(y),
                                 .pixels = plane.rows / size.samples,
                                 .stored = plane.stored,
                                 .chunk = {plane.channels, how.factor, how.offset, how.swaps}},
        plane.elements() / kChunk<T>);
  });
}

template <class From>
Launch move_from(Type to, const void* x, const Gathering& size, void* y, const Plane& plane,
                 const NormalizeArguments& how) {
  return with_type(to, [&]<class T>() {
    return launch_of(
        "gather_moved",
        GatherMoved<From, T>{.x = static_cast<const From*>(x),
                             .rows = size.rows,
                             .moves = size.moves,
                             .y = static_cast<T*>(y),
                             .height = plane.rows / size.samples / size.width,
                             .width = size.width,
                             .stored = plane.stored,
                             .chunk = {plane.channels, how.factor, how.offset, how.swaps}},
        plane.elements() / kChunk<T>);
  });
}

void check_normalizing(const char* kernel, Type from, Type to, const void* y, const Plane& plane,
                       bool swaps) {
  check_plane(kernel, to, plane);
  check_memory(kernel, {y});
  MILLRACE_CHECK(from == Type::u8 || from == Type::f32, "images are u8 or f32, not ",
                 to_string(from));
  MILLRACE_CHECK(!swaps || plane.channels == 3, "only three channels can be swapped, not ",
                 plane.channels);
}

void check_flattening(const char* kernel, Type type, const Flattening& size) {
  MILLRACE_CHECK(size.samples > 0 && size.pixels > 0, kernel, ": no pixels");
  check_channels(kernel, type, size.channels, size.stored);
  check_channels(kernel, type, size.pixels * size.channels, size.width);
}

}  // namespace

Launch normalize(Type from, Type to, const void* x, void* y, const Plane& plane,
                 const NormalizeArguments& how) {
  check_normalizing("normalize", from, to, y, plane, how.swaps);
  return (from == Type::u8 ? normalize_from<std::uint8_t>(to, x, y, plane, how)
                           : normalize_from<float>(to, x, y, plane, how))
      .reads(x, bytes_of(from, plane.rows * plane.channels))
      .reads(how.factor, float_bytes(plane.channels))
      .reads(how.offset, float_bytes(plane.channels))
      .writes(y, bytes_of(to, plane.elements()));
}

Launch gather(Type from, Type to, const void* x, const Gathering& size, void* y, const Plane& plane,
              const NormalizeArguments& how) {
  check_normalizing("gather", from, to, y, plane, how.swaps);
  MILLRACE_CHECK(size.samples > 0 && plane.rows % size.samples == 0, "gather: ", plane.rows,
                 " rows are not ", size.samples, " samples");
  const std::int64_t sample = plane.rows / size.samples * plane.channels;
  const auto count = static_cast<std::size_t>(size.samples);
  const bool moves = size.moves != nullptr;
  MILLRACE_CHECK(!moves || (size.width > 0 && plane.rows / size.samples % size.width == 0),
                 "gather: ", plane.rows / size.samples, " pixels are no pictures ", size.width,
                 " wide");
  const auto from_type = [&]<class From>() {
    return moves ? move_from<From>(to, x, size, y, plane, how)
                 : gather_from<From>(to, x, size, y, plane, how);
  };
  Launch launch = from == Type::u8 ? from_type.template operator()<std::uint8_t>()
                                   : from_type.template operator()<float>();
  if (moves) launch.reads(size.moves, count * sizeof(nn::Move));
  return launch.reads(x, bytes_of(from, size.all * sample))
      .reads(size.rows, count * sizeof(std::uint32_t))
      .reads(how.factor, float_bytes(plane.channels))
      .reads(how.offset, float_bytes(plane.channels))
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
