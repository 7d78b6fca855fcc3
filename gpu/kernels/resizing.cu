#include <millrace/gpu/kernels/resizing.h>

#include <millrace/gpu/kernels/kernel.h>

namespace millrace::gpu {

// ---- zeros around -------------------------------------------------------------------------------

/// 16 bytes of a pixel of y a call.
template <class T>
struct ShiftPixels {
  const T* x;
  T* y;
  Shift how;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const std::int64_t chunks = how.stored / kLanes;
    const auto [pixel, chunk] = divide(i, chunks);
    const auto [line, column] = divide(pixel, how.out_width);
    const auto [n, row] = divide(line, how.out_height);
    const std::int64_t from_row = row - how.down, from_column = column - how.right;
    const bool is_inside =
        from_row >= 0 && from_row < how.height && from_column >= 0 && from_column < how.width;
    Lanes<kLanes> values{};
    if (is_inside) {
      const std::int64_t from = (n * how.height + from_row) * how.width + from_column;
      values = load_lanes<kLanes>(x + (from * chunks + chunk) * kLanes);
    }
    store_lanes(y + i * kLanes, values, how.channels - chunk * kLanes);
  }
};

Launch shift(Type type, const void* x, void* y, const Shift& how) {
  const Plane from{how.samples * how.height * how.width, how.channels, how.stored};
  const Plane to{how.samples * how.out_height * how.out_width, how.channels, how.stored};
  return typed("shift", type, to, [&]<class T>(Launcher& at) {
    return at.chunks<T>(ShiftPixels<T>{at.reads<T>(x, from.elements()), at.writes<T>(y), how});
  });
}

// ---- pixels several times -----------------------------------------------------------------------

/// 16 bytes of a pixel of y a call.
template <class T>
struct Upsample {
  const T* x;
  T* y;
  Upsampling size;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const std::int64_t chunks = size.stored / kLanes;
    const auto [pixel, chunk] = divide(i, chunks);
    const auto [line, column] = divide(pixel, size.width * size.columns);
    const std::int64_t from =
        divide(line, size.rows).quotient * size.width + divide(column, size.columns).quotient;
    store_lanes(y + i * kLanes, load_lanes<kLanes>(x + (from * chunks + chunk) * kLanes),
                size.channels - chunk * kLanes);
  }
};

/// 16 bytes of a pixel of dx a call.
template <class T>
struct UpsampleGradient {
  const T* dy;
  T* dx;
  Upsampling size;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const std::int64_t chunks = size.stored / kLanes;
    const auto [pixel, chunk] = divide(i, chunks);
    const auto [line, column] = divide(pixel, size.width);
    Lanes<kLanes> sum{};
    for (std::int64_t r = 0; r < size.rows; ++r) {
      const std::int64_t row = (line * size.rows + r) * size.width * size.columns;
      for (std::int64_t c = 0; c < size.columns; ++c) {
        const std::int64_t from = row + column * size.columns + c;
        const auto part = load_lanes<kLanes>(dy + (from * chunks + chunk) * kLanes);
        for (int k = 0; k < kLanes; ++k) sum[k] += part[k];
      }
    }
    store_lanes(dx + i * kLanes, sum, size.channels - chunk * kLanes);
  }
};

Launch upsample(Type type, const void* x, void* y, const Upsampling& size) {
  const Plane from{size.samples * size.height * size.width, size.channels, size.stored};
  const Plane to{from.rows * size.rows * size.columns, size.channels, size.stored};
  return typed("upsample", type, to, [&]<class T>(Launcher& at) {
    return at.chunks<T>(Upsample<T>{at.reads<T>(x, from.elements()), at.writes<T>(y), size});
  });
}

Launch upsample_backward(Type type, const void* dy, void* dx, const Upsampling& size) {
  const Plane to{size.samples * size.height * size.width, size.channels, size.stored};
  return typed("upsample_backward", type, to, [&]<class T>(Launcher& at) {
    return at.chunks<T>(UpsampleGradient<T>{
        at.reads<T>(dy, to.elements() * size.rows * size.columns), at.writes<T>(dx), size});
  });
}

}  // namespace millrace::gpu
