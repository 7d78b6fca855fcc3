#include <millrace/gpu/kernels/pool_geometry.h>

#include <cmath>

namespace millrace::gpu {

/// A byte a lane, moved as a whole.
template <int N>
struct alignas(N) Winners {
  std::uint8_t values[N];
};

/// A chunk of the output a call. The first maximum wins; a NaN wins and stays.
template <class T>
struct MaxPool {
  PoolGeometry geometry;
  const T* x;
  T* y;
  std::uint8_t* winners;  ///< or null

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const PoolPlace at = geometry.output_place<kLanes>(i);
    const Range rows = geometry.rows.pixels(at.y), columns = geometry.columns.pixels(at.x);
    const std::int32_t first = geometry.place(rows.begin, columns.begin, at.y, at.x);
    Lanes<kLanes> highest;
    Winners<kLanes> winner;
    for (int k = 0; k < kLanes; ++k) {
      highest[k] = -INFINITY;
      winner.values[k] = static_cast<std::uint8_t>(first);
    }
    for (std::int32_t row = rows.begin; row < rows.end; ++row) {
      for (std::int32_t column = columns.begin; column < columns.end; ++column) {
        const auto values = load_lanes<kLanes>(x + geometry.input_at(at, row, column));
        const std::int32_t place = geometry.place(row, column, at.y, at.x);
        for (int k = 0; k < kLanes; ++k) {
          // Higher, or a NaN where there was none.
          if (!(values[k] <= highest[k]) && !std::isnan(highest[k])) {
            highest[k] = values[k];
            winner.values[k] = static_cast<std::uint8_t>(place);
          }
        }
      }
    }
    store_lanes(y + i * kLanes, highest);
    if (winners != nullptr) *reinterpret_cast<Winners<kLanes>*>(winners + i * kLanes) = winner;
  }
};

/// A chunk of dx a call, in which the windows over its pixel are added in order.
template <class T>
struct MaxPoolGradient {
  PoolGeometry geometry;
  const T* dy;
  const std::uint8_t* winners;
  T* dx;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const PoolPlace at = geometry.input_place<kLanes>(i);
    const Range rows = geometry.rows.windows(at.y), columns = geometry.columns.windows(at.x);
    Lanes<kLanes> sums{};
    for (std::int32_t oy = rows.begin; oy < rows.end; ++oy) {
      for (std::int32_t ox = columns.begin; ox < columns.end; ++ox) {
        const std::int64_t out = geometry.output_at(at, oy, ox);
        const auto winner = *reinterpret_cast<const Winners<kLanes>*>(winners + out);
        const auto values = load_lanes<kLanes>(dy + out);
        const std::int32_t place = geometry.place(at.y, at.x, oy, ox);
        for (int k = 0; k < kLanes; ++k) {
          if (winner.values[k] == place) sums[k] += values[k];
        }
      }
    }
    store_lanes(dx + i * kLanes, sums);
  }
};

Launch max_pool_forward(Type type, const void* x, void* y, std::uint8_t* winners,
                        const Pooling& size) {
  MILLRACE_CHECK(winners == nullptr || size.size.rows * size.size.columns <= 256,
                 "max_pool: a byte tells 256 places in a window, not those of ", size.size.rows,
                 "x", size.size.columns);
  const PoolGeometry geometry = geometry_of("max_pool", type, size);
  return typed("max_pool", type, outputs(size), [&]<class T>(Launcher& at) {
    return at.chunks<T>(
        MaxPool<T>{geometry, at.reads<T>(x, inputs(size)), at.writes<T>(y),
                   winners != nullptr ? at.writes<std::uint8_t>(winners) : nullptr});
  });
}

Launch max_pool_backward(Type type, const void* dy, const std::uint8_t* winners, void* dx,
                         const Pooling& size) {
  const PoolGeometry geometry = geometry_of("max_pool_backward", type, size);
  return typed("max_pool_backward", type, inputs(size), [&]<class T>(Launcher& at) {
    return at.chunks<T>(MaxPoolGradient<T>{geometry, at.reads<T>(dy, outputs(size)),
                                           at.reads<std::uint8_t>(winners, outputs(size)),
                                           at.writes<T>(dx)});
  });
}

}  // namespace millrace::gpu
