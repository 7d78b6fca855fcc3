#include <millrace/gpu/kernels/pool_geometry.h>

namespace millrace::gpu {

/// A chunk of the output a call: the mean of what lies under the window; of padding that counts
/// zeros.
template <class T>
struct AveragePool {
  PoolGeometry geometry;
  const T* x;
  T* y;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const PoolPlace at = geometry.output_place<kLanes>(i);
    const Range rows = geometry.rows.pixels(at.y), columns = geometry.columns.pixels(at.x);
    Lanes<kLanes> sums{};
    for (std::int32_t row = rows.begin; row < rows.end; ++row) {
      for (std::int32_t column = columns.begin; column < columns.end; ++column) {
        const auto values = load_lanes<kLanes>(x + geometry.input_at(at, row, column));
        for (int k = 0; k < kLanes; ++k) sums[k] += values[k];
      }
    }
    const float share =
        1 / static_cast<float>(geometry.rows.count(at.y) * geometry.columns.count(at.x));
    for (int k = 0; k < kLanes; ++k) sums[k] *= share;
    store_lanes(y + i * kLanes, sums);
  }
};

template <class T>
struct AveragePoolGradient {
  PoolGeometry geometry;
  const T* dy;
  T* dx;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const PoolPlace at = geometry.input_place<kLanes>(i);
    const Range rows = geometry.rows.windows(at.y), columns = geometry.columns.windows(at.x);
    Lanes<kLanes> sums{};
    for (std::int32_t oy = rows.begin; oy < rows.end; ++oy) {
      const std::int32_t high = geometry.rows.count(oy);
      for (std::int32_t ox = columns.begin; ox < columns.end; ++ox) {
        const float share = 1 / static_cast<float>(high * geometry.columns.count(ox));
        const auto values = load_lanes<kLanes>(dy + geometry.output_at(at, oy, ox));
        for (int k = 0; k < kLanes; ++k) sums[k] += values[k] * share;
      }
    }
    store_lanes(dx + i * kLanes, sums);
  }
};

Launch avg_pool_forward(Type type, const void* x, void* y, const Pooling& size) {
  const PoolGeometry geometry = geometry_of("avg_pool", type, size);
  return typed("avg_pool", type, outputs(size), [&]<class T>(Launcher& at) {
    return at.chunks<T>(AveragePool<T>{geometry, at.reads<T>(x, inputs(size)), at.writes<T>(y)});
  });
}

Launch avg_pool_backward(Type type, const void* dy, void* dx, const Pooling& size) {
  const PoolGeometry geometry = geometry_of("avg_pool_backward", type, size);
  return typed("avg_pool_backward", type, inputs(size), [&]<class T>(Launcher& at) {
    return at.chunks<T>(
        AveragePoolGradient<T>{geometry, at.reads<T>(dy, outputs(size)), at.writes<T>(dx)});
  });
}

/// A chunk of the output a call.
template <class T>
struct GlobalAverage {
  const T* x;
  T* y;
  std::int64_t pixels, stored;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const auto [sample, chunk] = divide(i, stored / kLanes);
    const T* const image = x + sample * pixels * stored + chunk * kLanes;
    Lanes<kLanes> sums{};
#pragma unroll 8  // loads of several pixels at a time
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      const auto values = load_lanes<kLanes>(image + pixel * stored);
      for (int k = 0; k < kLanes; ++k) sums[k] += values[k];
    }
    for (int k = 0; k < kLanes; ++k) sums[k] /= static_cast<float>(pixels);
    store_lanes(y + i * kLanes, sums);
  }
};

/// A chunk of dx a call.
template <class T>
struct GlobalAverageGradient {
  const T* dy;
  T* dx;
  std::int64_t pixels, stored;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const auto [row, chunk] = divide(i, stored / kLanes);
    const std::int64_t sample = divide(row, pixels).quotient;
    auto values = load_lanes<kLanes>(dy + sample * stored + chunk * kLanes);
    for (int k = 0; k < kLanes; ++k) values[k] /= static_cast<float>(pixels);
    store_lanes(dx + i * kLanes, values);
  }
};

Launch global_avg_pool_forward(Type type, const void* x, void* y, std::int64_t samples,
                               std::int64_t pixels, std::int64_t stored) {
  MILLRACE_CHECK(samples > 0 && pixels > 0, "global_avg_pool: no pixels");
  const Plane plane{samples, stored, stored};
  return typed("global_avg_pool", type, plane, [&]<class T>(Launcher& at) {
    return at.chunks<T>(GlobalAverage<T>{at.reads<T>(x, samples * pixels * stored), at.writes<T>(y),
                                         pixels, stored});
  });
}

Launch global_avg_pool_backward(Type type, const void* dy, void* dx, std::int64_t samples,
                                std::int64_t pixels, std::int64_t stored) {
  MILLRACE_CHECK(samples > 0 && pixels > 0, "global_avg_pool_backward: no pixels");
  const Plane plane{samples * pixels, stored, stored};
  return typed("global_avg_pool_backward", type, plane, [&]<class T>(Launcher& at) {
    return at.chunks<T>(GlobalAverageGradient<T>{at.reads<T>(dy, samples * stored),
                                                 at.writes<T>(dx), pixels, stored});
  });
}

}  // namespace millrace::gpu
