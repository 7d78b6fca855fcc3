#pragma once
// Pooling and its gradients over chunks of channels, for host and device. Windows lie over padding
// in part; what counts is the part over the image.

#include <millrace/gpu/kernels.h>
#include <millrace/gpu/kernels/lanes.h>

#include <cmath>
#include <cstdint>

namespace millrace::gpu {

/// Pixels or windows along one side: from `begin` to the one before `end`.
struct Range {
  std::int32_t begin, end;
};

/// A side of the image and its windows, in 32 bits: sides are short, and a GPU computes 64 slowly.
struct PoolSide {
  std::int32_t extent, out_extent, size, stride, padding;

  /// Pixels of the image under window `o`.
  MILLRACE_HOST_DEVICE Range pixels(std::int32_t o) const {
    const std::int32_t first = first_pixel(o);
    const std::int32_t last = first + size;
    return {first < 0 ? 0 : first, last < extent ? last : extent};
  }
  /// Windows over pixel `p`.
  MILLRACE_HOST_DEVICE Range windows(std::int32_t p) const {
    const std::int32_t reach = p + padding;
    const std::int32_t first = reach < size ? 0 : (reach - size) / stride + 1;
    const std::int32_t last = reach / stride + 1;
    return {first, last < out_extent ? last : out_extent};
  }
  MILLRACE_HOST_DEVICE std::int32_t first_pixel(std::int32_t o) const {
    return o * stride - padding;
  }
};

/// Where a chunk of an image of `height` x `width` lies.
struct PoolPlace {
  std::int64_t sample, channel;
  std::int32_t y, x;
};

struct PoolGeometry {
  PoolSide rows, columns;
  std::int64_t stored;

  MILLRACE_HOST_DEVICE static PoolPlace locate(std::int64_t i, std::int64_t chunks, int lanes,
                                               std::int32_t height, std::int32_t width) {
    const auto [pixel, chunk] = divide(i, chunks);
    const auto [row, x] = divide(pixel, width);
    const auto [sample, y] = divide(row, height);
    return {sample, chunk * lanes, static_cast<std::int32_t>(y), static_cast<std::int32_t>(x)};
  }
  template <int N>
  MILLRACE_HOST_DEVICE PoolPlace output_place(std::int64_t i) const {
    return locate(i, stored / N, N, rows.out_extent, columns.out_extent);
  }
  template <int N>
  MILLRACE_HOST_DEVICE PoolPlace input_place(std::int64_t i) const {
    return locate(i, stored / N, N, rows.extent, columns.extent);
  }
  /// The number of a pixel (y, x) in the window at (oy, ox), row-major.
  MILLRACE_HOST_DEVICE std::int32_t place(std::int32_t y, std::int32_t x, std::int32_t oy,
                                          std::int32_t ox) const {
    return (y - rows.first_pixel(oy)) * columns.size + x - columns.first_pixel(ox);
  }
  MILLRACE_HOST_DEVICE std::int64_t input_at(const PoolPlace& at, std::int32_t y,
                                             std::int32_t x) const {
    return ((at.sample * rows.extent + y) * columns.extent + x) * stored + at.channel;
  }
  MILLRACE_HOST_DEVICE std::int64_t output_at(const PoolPlace& at, std::int32_t oy,
                                              std::int32_t ox) const {
    return ((at.sample * rows.out_extent + oy) * columns.out_extent + ox) * stored + at.channel;
  }
};

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

/// A chunk of the output a call: the mean of what lies under the window.
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
        1 / static_cast<float>((rows.end - rows.begin) * (columns.end - columns.begin));
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
      const Range under = geometry.rows.pixels(oy);
      for (std::int32_t ox = columns.begin; ox < columns.end; ++ox) {
        const Range beside = geometry.columns.pixels(ox);
        const float share =
            1 / static_cast<float>((under.end - under.begin) * (beside.end - beside.begin));
        const auto values = load_lanes<kLanes>(dy + geometry.output_at(at, oy, ox));
        for (int k = 0; k < kLanes; ++k) sums[k] += values[k] * share;
      }
    }
    store_lanes(dx + i * kLanes, sums);
  }
};

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

}  // namespace millrace::gpu
