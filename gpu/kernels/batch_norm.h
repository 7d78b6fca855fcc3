#pragma once
// Batch normalisation and its gradient, for host and device: the formulas of
// nn/reference/forward.cpp and nn/reference/backward.cpp. Statistics are of valid rows.

#include <millrace/gpu/kernels/column_sums.h>
#include <millrace/gpu/scalars.h>

#include <cmath>
#include <cstdint>

namespace millrace::gpu {

/// Rows of the samples that are valid.
struct ValidRows {
  const Scalars* scalars;
  std::int64_t pixels;
  MILLRACE_HOST_DEVICE std::int64_t operator()() const { return scalars->samples * pixels; }
};

/// Without a mean: sums of x. With one: of squares around it.
template <class T, bool kSquares>
struct NormColumns {
  static constexpr int kLanes = kChunk<T>, kSums = 1;
  const T* x;
  const float* mean;
  ValidRows valid;
  std::int64_t channels, stored;

  MILLRACE_HOST_DEVICE std::int64_t rows() const { return valid(); }
  MILLRACE_HOST_DEVICE void add(std::int64_t row, std::int64_t channel,
                                Sums<1, kLanes>& sums) const {
    const auto values = load_lanes<kLanes>(x + row * stored + channel);
    if constexpr (kSquares) {
      const auto center = load_lanes<kLanes>(mean + channel);
      for (int k = 0; k < kLanes; ++k) {
        sums.of[0][k] += (values[k] - center[k]) * (values[k] - center[k]);
      }
    } else {
      for (int k = 0; k < kLanes; ++k) sums.of[0][k] += values[k];
    }
  }
  MILLRACE_HOST_DEVICE void finish(std::int64_t channel, Sums<1, kLanes>& sums) const {
    for (int k = 0; k < kLanes; ++k) {
      if (channel + k >= channels) sums.of[0][k] = 0;
    }
  }
};

struct NormMean {
  static constexpr int kLanes = kChunk<float>, kSums = 1;
  float* mean;
  ValidRows valid;
  std::int64_t channels;

  MILLRACE_HOST_DEVICE void finish(std::int64_t channel, Sums<1, kLanes> sums) const {
    for (int k = 0; k < kLanes; ++k) sums.of[0][k] /= static_cast<float>(valid());
    store_lanes(mean + channel, sums.of[0], channels - channel);
  }
};

struct NormVariance {
  static constexpr int kLanes = kChunk<float>, kSums = 1;
  const float* mean;
  float* variance;
  float* running_mean;
  float* running_variance;
  float momentum, rest;  ///< rest: 1 - momentum
  bool is_biased;
  ValidRows valid;
  std::int64_t channels;

  MILLRACE_HOST_DEVICE void finish(std::int64_t channel, const Sums<1, kLanes>& sums) const {
    const auto count = static_cast<float>(valid());
    // One value has no unbiased variance; its biased one is 0.
    const float free = is_biased || valid() == 1 ? count : static_cast<float>(valid() - 1);
    const auto center = load_lanes<kLanes>(mean + channel);
    auto kept_mean = load_lanes<kLanes>(running_mean + channel);
    auto kept_variance = load_lanes<kLanes>(running_variance + channel);
    Lanes<kLanes> biased;
    for (int k = 0; k < kLanes; ++k) {
      biased[k] = sums.of[0][k] / count;
      kept_mean[k] = momentum * kept_mean[k] + rest * center[k];
      kept_variance[k] = momentum * kept_variance[k] + rest * (sums.of[0][k] / free);
    }
    store_lanes(variance + channel, biased, channels - channel);
    store_lanes(running_mean + channel, kept_mean, channels - channel);
    store_lanes(running_variance + channel, kept_variance, channels - channel);
  }
};

/// A chunk a call.
template <class T>
struct NormApply {
  const T* x;
  T* y;
  const float* mean;
  const float* variance;
  const float* gamma;
  const float* beta;
  std::int64_t channels, stored;
  float epsilon;
  bool relu;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const std::int64_t first = divide(i, stored / kLanes).remainder * kLanes;
    auto values = load_lanes<kLanes>(x + i * kLanes);
    const auto center = load_lanes<kLanes>(mean + first);
    const auto spread = load_lanes<kLanes>(variance + first);
    const auto scale = load_lanes<kLanes>(gamma + first);
    const auto shift = load_lanes<kLanes>(beta + first);
    for (int k = 0; k < kLanes; ++k) {
      const float slope = scale[k] * inverse_root(spread[k] + epsilon);
      values[k] = (values[k] - center[k]) * slope + shift[k];
      if (relu) values[k] = rectified(values[k]);
    }
    store_lanes(y + i * kLanes, values, channels - first);
  }
};

/// Sums of dy, and of dy times the normalised x.
template <class T>
struct NormGradientColumns {
  static constexpr int kLanes = kChunk<T>, kSums = 2;
  const T* dy;
  const T* x;
  const float* mean;
  const float* variance;
  float epsilon;
  ValidRows valid;
  std::int64_t channels, stored;

  MILLRACE_HOST_DEVICE std::int64_t rows() const { return valid(); }
  MILLRACE_HOST_DEVICE void add(std::int64_t row, std::int64_t channel,
                                Sums<2, kLanes>& sums) const {
    const auto slopes = load_lanes<kLanes>(dy + row * stored + channel);
    const auto values = load_lanes<kLanes>(x + row * stored + channel);
    const auto center = load_lanes<kLanes>(mean + channel);
    for (int k = 0; k < kLanes; ++k) {
      sums.of[0][k] += slopes[k];
      sums.of[1][k] += slopes[k] * (values[k] - center[k]);
    }
  }
  MILLRACE_HOST_DEVICE void finish(std::int64_t channel, Sums<2, kLanes>& sums) const {
    const auto spread = load_lanes<kLanes>(variance + channel);
    for (int k = 0; k < kLanes; ++k) {
      sums.of[1][k] *= inverse_root(spread[k] + epsilon);
      if (channel + k < channels) continue;
      sums.of[0][k] = 0;
      sums.of[1][k] = 0;
    }
  }
};

/// dbeta and dgamma, and the same in float32.
template <class T>
struct NormGradientTotals {
  static constexpr int kLanes = kChunk<T>, kSums = 2;
  float* sums;  ///< [2][stored]
  T* dgamma;
  T* dbeta;
  std::int64_t channels, stored;

  MILLRACE_HOST_DEVICE void finish(std::int64_t channel, const Sums<2, kLanes>& total) const {
    const std::int64_t counting = channels - channel;
    store_lanes(sums + channel, total.of[0], counting);
    store_lanes(sums + stored + channel, total.of[1], counting);
    store_lanes(dbeta + channel, total.of[0], counting);
    store_lanes(dgamma + channel, total.of[1], counting);
  }
};

/// A chunk a call.
template <class T>
struct NormGradient {
  const T* dy;
  const T* x;
  T* dx;
  const float* mean;
  const float* variance;
  const float* gamma;
  const float* sums;
  float epsilon;
  ValidRows valid;
  std::int64_t channels, stored;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const auto [row, chunk] = divide(i, stored / kLanes);
    const std::int64_t first = chunk * kLanes;
    if (row >= valid()) return store_lanes(dx + i * kLanes, Lanes<kLanes>{});
    const auto slopes = load_lanes<kLanes>(dy + i * kLanes);
    auto values = load_lanes<kLanes>(x + i * kLanes);
    const float share = 1 / static_cast<float>(valid());
    for (int k = 0; k < kLanes; ++k) {
      const std::int64_t c = first + k;
      const float root = inverse_root(variance[c] + epsilon);
      const float normal = (values[k] - mean[c]) * root;
      const float common = (sums[c] + normal * sums[stored + c]) * share;
      values[k] = gamma[c] * root * (slopes[k] - common);
    }
    store_lanes(dx + i * kLanes, values, channels - first);
  }
};

/// A chunk a call: statistics that are constants.
template <class T>
struct FrozenNormGradient {
  const T* dy;
  T* dx;
  const float* gamma;
  const float* variance;
  float epsilon;
  std::int64_t channels, stored;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const std::int64_t first = divide(i, stored / kLanes).remainder * kLanes;
    auto values = load_lanes<kLanes>(dy + i * kLanes);
    const auto scale = load_lanes<kLanes>(gamma + first);
    const auto spread = load_lanes<kLanes>(variance + first);
    for (int k = 0; k < kLanes; ++k) values[k] *= scale[k] * inverse_root(spread[k] + epsilon);
    store_lanes(dx + i * kLanes, values, channels - first);
  }
};

}  // namespace millrace::gpu
