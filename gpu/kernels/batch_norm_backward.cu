// The formulas of nn/layers/batch_norm.cpp.
#include <millrace/gpu/kernels/batch_norm.h>

#include <millrace/gpu/kernels/team_sums.h>

namespace millrace::gpu {

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
    for (int k = 0; k < kLanes; ++k) sums.of[1][k] *= inverse_root(spread[k] + epsilon);
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

Launch norm_backward_sums(Type type, const void* dy, const void* x, const float* mean,
                          const float* variance, float* partials, const Plane& plane,
                          const NormConstants& constants, const Scalars* scalars) {
  return typed("norm_backward_sums", type, plane, [&]<class T>(Launcher& at) {
    const NormGradientColumns<T> rule{.dy = at.reads<T>(dy),
                                      .x = at.reads<T>(x),
                                      .mean = at.reads<float>(mean, plane.stored),
                                      .variance = at.reads<float>(variance, plane.stored),
                                      .epsilon = constants.epsilon,
                                      .valid = valid_rows(at, scalars, constants.pixels),
                                      .channels = plane.channels,
                                      .stored = plane.stored};
    return part_sums(at, rule, plane, partials);
  });
}

Launch norm_backward_totals(Type type, const float* partials, float* sums, void* dgamma,
                            void* dbeta, const Plane& plane) {
  return typed("norm_backward_totals", type, plane, [&]<class T>(Launcher& at) {
    const NormGradientTotals<T> rule{
        at.writes<float>(sums, 2 * plane.stored), at.writes<T>(dgamma, plane.stored),
        at.writes<T>(dbeta, plane.stored), plane.channels, plane.stored};
    return total_sums(at, rule, plane, partials);
  });
}

Launch norm_backward(Type type, const void* dy, const void* x, const float* mean,
                     const float* variance, const float* gamma, const float* sums, void* dx,
                     const Plane& plane, const NormConstants& constants, const Scalars* scalars) {
  return typed("norm_backward", type, plane, [&]<class T>(Launcher& at) {
    return at.chunks<T>(NormGradient<T>{.dy = at.reads<T>(dy),
                                        .x = at.reads<T>(x),
                                        .dx = at.writes<T>(dx),
                                        .mean = at.reads<float>(mean, plane.stored),
                                        .variance = at.reads<float>(variance, plane.stored),
                                        .gamma = at.reads<float>(gamma, plane.stored),
                                        .sums = at.reads<float>(sums, 2 * plane.stored),
                                        .epsilon = constants.epsilon,
                                        .valid = valid_rows(at, scalars, constants.pixels),
                                        .channels = plane.channels,
                                        .stored = plane.stored});
  });
}

Launch frozen_norm_backward(Type type, const void* dy, const float* gamma,
                            const float* running_variance, void* dx, const Plane& plane,
                            const NormConstants& constants) {
  return typed("frozen_norm_backward", type, plane, [&]<class T>(Launcher& at) {
    return at.chunks<T>(
        FrozenNormGradient<T>{.dy = at.reads<T>(dy),
                              .dx = at.writes<T>(dx),
                              .gamma = at.reads<float>(gamma, plane.stored),
                              .variance = at.reads<float>(running_variance, plane.stored),
                              .epsilon = constants.epsilon,
                              .channels = plane.channels,
                              .stored = plane.stored});
  });
}

}  // namespace millrace::gpu
