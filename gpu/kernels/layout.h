#pragma once
// Between tightly packed memory, rows of padded channels, and features, for host and device.

#include <millrace/gpu/kernels/lanes.h>
#include <millrace/nn/move.h>

#include <cstdint>

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

/// The same of pictures, moved as moves[n] says.
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

/// An element of y a call.
template <class T>
struct Unpack {
  const T* x;
  float* y;
  std::int64_t channels, stored;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    const auto [row, c] = divide(i, channels);
    y[i] = load(x + row * stored + c);
  }
};

/// A chunk of y a call.
template <class T>
struct Pack {
  const float* x;
  T* y;
  std::int64_t channels, stored;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const auto [row, chunk] = divide(i, stored / kLanes);
    Lanes<kLanes> values;
    for (int k = 0; k < kLanes; ++k) {
      const std::int64_t c = chunk * kLanes + k;
      values[k] = c < channels ? x[row * channels + c] : 0.0F;
    }
    store_lanes(y + i * kLanes, values);
  }
};

/// A chunk of features a call.
template <class T>
struct Flatten {
  const T* x;
  T* y;
  std::int64_t pixels, channels, stored, width;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const auto [n, chunk] = divide(i, width / kLanes);
    auto [pixel, c] = divide(chunk * kLanes, channels);
    Chunk<T, kLanes> features{};
    for (int k = 0; k < kLanes && pixel < pixels; ++k) {
      features[k] = x[(n * pixels + pixel) * stored + c];
      if (++c == channels) {
        c = 0;
        ++pixel;
      }
    }
    *reinterpret_cast<Chunk<T, kLanes>*>(y + i * kLanes) = features;
  }
};

/// A chunk of channels a call.
template <class T>
struct Unflatten {
  const T* dy;
  T* dx;
  std::int64_t pixels, channels, stored, width;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const auto [row, chunk] = divide(i, stored / kLanes);
    const auto [n, pixel] = divide(row, pixels);
    const std::int64_t first = chunk * kLanes;
    Chunk<T, kLanes> values{};
    for (int k = 0; k < kLanes; ++k) {
      if (first + k < channels) values[k] = dy[n * width + pixel * channels + first + k];
    }
    *reinterpret_cast<Chunk<T, kLanes>*>(dx + i * kLanes) = values;
  }
};

}  // namespace millrace::gpu
