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

}  // namespace millrace::gpu
