#include <millrace/gpu/kernels/input.h>

#include <millrace/gpu/kernels/kernel.h>

namespace millrace::gpu {

/// From a pixel as it is kept to stored channels: one chunk of them from channel `first` on.
template <class From, class T>
struct NormalizeChunk {
  std::int64_t channels;
  const float* factor;
  const float* offset;
  bool swaps;

  MILLRACE_HOST_DEVICE void operator()(const From* pixel, std::int64_t first, T* y) const {
    constexpr int kLanes = kChunk<T>;
    Lanes<kLanes> values;
    for (int k = 0; k < kLanes; ++k) {
      const std::int64_t c = first + k;
      values[k] = c < channels ? load(pixel + (swaps ? 2 - c : c)) * factor[c] + offset[c] : 0.0F;
    }
    store_lanes(y, values);
  }
  /// Where there is no pixel.
  MILLRACE_HOST_DEVICE void fill(float value, std::int64_t first, T* y) const {
    constexpr int kLanes = kChunk<T>;
    Lanes<kLanes> values;
    for (int k = 0; k < kLanes; ++k) {
      const std::int64_t c = first + k;
      values[k] = c < channels ? value * factor[c] + offset[c] : 0.0F;
    }
    store_lanes(y, values);
  }
};

/// A chunk of y a call.
template <class From, class T>
struct Normalize {
  const From* x;
  T* y;
  std::int64_t stored;
  NormalizeChunk<From, T> chunk;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const auto [row, part] = divide(i, stored / kLanes);
    chunk(x + row * chunk.channels, part * kLanes, y + i * kLanes);
  }
};

/// The same from samples here and there: sample rows[n] of x is read for n.
template <class From, class T>
struct GatherNormalize {
  const From* x;
  const std::uint32_t* rows;
  T* y;
  std::int64_t pixels, stored;
  NormalizeChunk<From, T> chunk;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const auto [row, part] = divide(i, stored / kLanes);
    const auto [n, pixel] = divide(row, pixels);
    const std::int64_t from = static_cast<std::int64_t>(rows[n]) * pixels + pixel;
    chunk(x + from * chunk.channels, part * kLanes, y + i * kLanes);
  }
};

/// The same of images, moved as moves[n] says.
template <class From, class T>
struct GatherMoved {
  const From* x;
  const std::uint32_t* rows;
  const nn::Move* moves;
  T* y;
  std::int64_t height, width, stored;
  NormalizeChunk<From, T> chunk;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const auto [row, part] = divide(i, stored / kLanes);
    const auto [line, column] = divide(row, width);
    const auto [n, h] = divide(line, height);
    const nn::Move move = moves[n];
    const std::int64_t top = (move.mirrors_rows != 0 ? height - 1 - h : h) + move.top;
    const std::int64_t left = (move.mirrors_columns != 0 ? width - 1 - column : column) + move.left;
    T* const to = y + i * kLanes;
    if (top < 0 || top >= height || left < 0 || left >= width) {
      chunk.fill(static_cast<float>(move.fill), part * kLanes, to);
      return;
    }
    const std::int64_t from = (static_cast<std::int64_t>(rows[n]) * height + top) * width + left;
    chunk(x + from * chunk.channels, part * kLanes, to);
  }
};

namespace {

/// Calls body<From, T>(launcher, NormalizeChunk) with the types of pixels as they are kept, and of
/// what becomes of them.
template <class Body>
Launch from_pixels(const char* kernel, Type from, Type to, const Plane& plane,
                   const NormalizeArguments& how, const Body& body) {
  MILLRACE_CHECK(from == Type::u8 || from == Type::f32, "images are u8 or f32, not ",
                 to_string(from));
  MILLRACE_CHECK(!how.swaps || plane.channels == 3, "only three channels can be swapped, not ",
                 plane.channels);
  return typed(kernel, to, plane, [&]<class T>(Launcher& at) {
    const auto* const factor = at.reads_any<float>(how.factor, plane.channels);
    const auto* const offset = at.reads_any<float>(how.offset, plane.channels);
    if (from == Type::u8)
      return body(at, NormalizeChunk<std::uint8_t, T>{plane.channels, factor, offset, how.swaps});
    return body(at, NormalizeChunk<float, T>{plane.channels, factor, offset, how.swaps});
  });
}

}  // namespace

Launch normalize(Type from, Type to, const void* x, void* y, const Plane& plane,
                 const NormalizeArguments& how) {
  return from_pixels("normalize", from, to, plane, how,
                     [&]<class From, class T>(Launcher& at, const NormalizeChunk<From, T>& chunk) {
                       return at.chunks<T>(Normalize<From, T>{
                           .x = at.reads_any<From>(x, plane.rows * plane.channels),
                           .y = at.writes<T>(y),
                           .stored = plane.stored,
                           .chunk = chunk});
                     });
}

Launch gather(Type from, Type to, const void* x, const Gathering& size, void* y, const Plane& plane,
              const NormalizeArguments& how) {
  MILLRACE_CHECK(size.samples > 0 && plane.rows % size.samples == 0, "gather: ", plane.rows,
                 " rows are not ", size.samples, " samples");
  const std::int64_t pixels = plane.rows / size.samples;
  const std::int64_t all = size.all * pixels * plane.channels;
  if (size.moves == nullptr) {
    return from_pixels(
        "gather", from, to, plane, how,
        [&]<class From, class T>(Launcher& at, const NormalizeChunk<From, T>& chunk) {
          return at.chunks<T>(
              GatherNormalize<From, T>{.x = at.reads_any<From>(x, all),
                                       .rows = at.reads_any<std::uint32_t>(size.rows, size.samples),
                                       .y = at.writes<T>(y),
                                       .pixels = pixels,
                                       .stored = plane.stored,
                                       .chunk = chunk});
        });
  }
  MILLRACE_CHECK(size.width > 0 && pixels % size.width == 0, "gather: ", pixels,
                 " pixels are not images ", size.width, " wide");
  return from_pixels("gather_moved", from, to, plane, how,
                     [&]<class From, class T>(Launcher& at, const NormalizeChunk<From, T>& chunk) {
                       return at.chunks<T>(GatherMoved<From, T>{
                           .x = at.reads_any<From>(x, all),
                           .rows = at.reads_any<std::uint32_t>(size.rows, size.samples),
                           .moves = at.reads_any<nn::Move>(size.moves, size.samples),
                           .y = at.writes<T>(y),
                           .height = pixels / size.width,
                           .width = size.width,
                           .stored = plane.stored,
                           .chunk = chunk});
                     });
}

}  // namespace millrace::gpu
