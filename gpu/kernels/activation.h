#pragma once
// Biases and activations with their gradients, for host and device. In a call: a chunk of channels,
// or a row for softmax.

#include <millrace/gpu/kernels/lanes.h>

#include <cmath>
#include <cstdint>

namespace millrace::gpu {

/// X is the type of x and y, T that of the bias.
template <class X, class T>
struct AddBias {
  const X* x;
  const T* bias;
  X* y;
  std::int64_t channels, stored;
  bool relu;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const std::int64_t first = divide(i, stored / kLanes).remainder * kLanes;
    auto values = load_lanes<kLanes>(x + i * kLanes);
    const auto b = load_lanes<kLanes>(bias + first);
    for (int k = 0; k < kLanes; ++k) {
      values[k] += b[k];
      if (relu) values[k] = rectified(values[k]);
    }
    store_lanes(y + i * kLanes, values, channels - first);
  }
};

template <class T>
struct Relu {
  const T* x;
  T* y;
  std::int64_t elements;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kSize = kChunk<T>;
    auto values = read_chunk<kSize>(x, i * kSize, elements);
    for (int k = 0; k < kSize; ++k) store(&values[k], rectified(load(&values[k])));
    write_chunk(y, i * kSize, elements, values);
  }
};

template <class T>
struct ReluGradient {
  const T* dy;
  const T* y;
  T* dx;
  std::int64_t elements;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kSize = kChunk<T>;
    auto values = read_chunk<kSize>(dy, i * kSize, elements);
    const auto kept = read_chunk<kSize>(y, i * kSize, elements);
    for (int k = 0; k < kSize; ++k) {
      if (!(load(&kept[k]) > 0)) values[k] = T{};
    }
    write_chunk(dx, i * kSize, elements, values);
  }
};

template <class T>
struct Sigmoid {
  const T* x;
  T* y;
  std::int64_t channels, stored;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const std::int64_t first = divide(i, stored / kLanes).remainder * kLanes;
    auto values = load_lanes<kLanes>(x + i * kLanes);
    for (int k = 0; k < kLanes; ++k) values[k] = 1 / (1 + std::exp(-values[k]));
    store_lanes(y + i * kLanes, values, channels - first);
  }
};

template <class T>
struct SigmoidGradient {
  const T* dy;
  const T* y;
  T* dx;
  std::int64_t channels, stored;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const std::int64_t first = divide(i, stored / kLanes).remainder * kLanes;
    auto values = load_lanes<kLanes>(dy + i * kLanes);
    const auto p = load_lanes<kLanes>(y + i * kLanes);
    for (int k = 0; k < kLanes; ++k) values[k] *= p[k] * (1 - p[k]);
    store_lanes(dx + i * kLanes, values, channels - first);
  }
};

/// Only outputs of a model and the layers of rare ones are a softmax of their own (the loss has its
/// own), so a thread has a row.
template <class From, class To>
struct Softmax {
  const From* x;
  To* y;
  std::int64_t channels, stored;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t row) const {
    const From* const in = x + row * stored;
    To* const out = y + row * stored;
    float highest = load(in);
    for (std::int64_t c = 1; c < channels; ++c) {
      const float value = load(in + c);
      if (highest < value) highest = value;
    }
    float sum = 0;
    for (std::int64_t c = 0; c < channels; ++c) sum += std::exp(load(in + c) - highest);
    for (std::int64_t c = 0; c < channels; ++c) {
      store(out + c, std::exp(load(in + c) - highest) / sum);
    }
    for (std::int64_t c = channels; c < stored; ++c) store(out + c, 0.0F);
  }
};

template <class T>
struct SoftmaxGradient {
  const T* dy;
  const T* y;
  T* dx;
  std::int64_t channels, stored;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t row) const {
    const std::int64_t first = row * stored;
    float sum = 0;
    for (std::int64_t c = 0; c < channels; ++c) sum += load(dy + first + c) * load(y + first + c);
    for (std::int64_t c = 0; c < channels; ++c) {
      store(dx + first + c, load(y + first + c) * (load(dy + first + c) - sum));
    }
    for (std::int64_t c = channels; c < stored; ++c) store(dx + first + c, 0.0F);
  }
};

}  // namespace millrace::gpu
