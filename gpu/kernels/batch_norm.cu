// The formulas of nn/layers/batch_norm.cpp. Statistics are of valid rows.
#include <millrace/gpu/kernels/batch_norm.h>

#include <millrace/gpu/kernels/team_sums.h>

namespace millrace::gpu {

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

namespace {

template <bool kSquares>
Launch columns(const char* name, Type type, const void* x, const float* mean, float* partials,
               const Plane& plane, const NormConstants& constants, const Scalars* scalars) {
  return typed(name, type, plane, [&]<class T>(Launcher& at) {
    const NormColumns<T, kSquares> rule{
        .x = at.reads<T>(x),
        .mean = kSquares ? at.reads<float>(mean, plane.stored) : nullptr,
        .valid = valid_rows(at, scalars, constants.pixels),
        .channels = plane.channels,
        .stored = plane.stored};
    return part_sums(at, rule, plane, partials);
  });
}

}  // namespace

Launch norm_sums(Type type, const void* x, float* partials, const Plane& plane,
                 const NormConstants& constants, const Scalars* scalars) {
  return columns<false>("norm_sums", type, x, nullptr, partials, plane, constants, scalars);
}

Launch norm_mean(const float* partials, float* mean, const Plane& plane,
                 const NormConstants& constants, const Scalars* scalars) {
  Launcher at("norm_mean", Type::f32, plane);
  return total_sums(at,
                    NormMean{at.writes<float>(mean, plane.stored),
                             valid_rows(at, scalars, constants.pixels), plane.channels},
                    plane, partials);
}

Launch norm_squares(Type type, const void* x, const float* mean, float* partials,
                    const Plane& plane, const NormConstants& constants, const Scalars* scalars) {
  return columns<true>("norm_squares", type, x, mean, partials, plane, constants, scalars);
}

Launch norm_variance(const float* partials, const float* mean, float* variance, float* running_mean,
                     float* running_variance, const Plane& plane, const NormConstants& constants,
                     const Scalars* scalars) {
  Launcher at("norm_variance", Type::f32, plane);
  const NormVariance rule{.mean = at.reads<float>(mean, plane.stored),
                          .variance = at.writes<float>(variance, plane.stored),
                          .running_mean = at.updates<float>(running_mean, plane.stored),
                          .running_variance = at.updates<float>(running_variance, plane.stored),
                          .momentum = constants.momentum,
                          .rest = static_cast<float>(1 - double{constants.momentum}),
                          .is_biased = constants.biased_variance,
                          .valid = valid_rows(at, scalars, constants.pixels),
                          .channels = plane.channels};
  return total_sums(at, rule, plane, partials);
}

Launch norm_apply(Type type, const void* x, const float* mean, const float* variance,
                  const float* gamma, const float* beta, void* y, const Plane& plane,
                  const NormConstants& constants, bool relu) {
  return typed("norm_apply", type, plane, [&]<class T>(Launcher& at) {
    return at.chunks<T>(NormApply<T>{.x = at.reads<T>(x),
                                     .y = at.writes<T>(y),
                                     .mean = at.reads<float>(mean, plane.stored),
                                     .variance = at.reads<float>(variance, plane.stored),
                                     .gamma = at.reads<float>(gamma, plane.stored),
                                     .beta = at.reads<float>(beta, plane.stored),
                                     .channels = plane.channels,
                                     .stored = plane.stored,
                                     .epsilon = constants.epsilon,
                                     .relu = relu});
  });
}

}  // namespace millrace::gpu
