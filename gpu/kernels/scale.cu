#include <millrace/gpu/kernels/scale.h>

#include <millrace/gpu/kernels/team_sums.h>

namespace millrace::gpu {

/// A chunk of channels a call.
template <class T>
struct ScaleChannels {
  const T* x;
  const float* factors;
  T* y;
  std::int64_t channels, stored;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const std::int64_t first = divide(i, stored / kLanes).remainder * kLanes;
    auto values = load_lanes<kLanes>(x + i * kLanes);
    const auto f = load_lanes<kLanes>(factors + first);
    for (int k = 0; k < kLanes; ++k) values[k] *= f[k];
    store_lanes(y + i * kLanes, values, channels - first);
  }
};

template <class T>
struct ScaleGradientColumns {
  static constexpr int kLanes = kChunk<T>, kSums = 1;
  const T* dy;
  const T* x;
  ValidRows valid;
  std::int64_t channels, stored;

  MILLRACE_HOST_DEVICE std::int64_t rows() const { return valid(); }
  MILLRACE_HOST_DEVICE void add(std::int64_t row, std::int64_t channel,
                                Sums<1, kLanes>& sums) const {
    const auto slopes = load_lanes<kLanes>(dy + row * stored + channel);
    const auto values = load_lanes<kLanes>(x + row * stored + channel);
    for (int k = 0; k < kLanes; ++k) sums.of[0][k] += slopes[k] * values[k];
  }
};

Launch scale_channels(Type type, const void* x, const float* factors, void* y, const Plane& plane) {
  return typed("scale_channels", type, plane, [&]<class T>(Launcher& at) {
    return at.chunks<T>(ScaleChannels<T>{at.reads<T>(x), at.reads<float>(factors, plane.stored),
                                         at.writes<T>(y), plane.channels, plane.stored});
  });
}

Launch scale_gradient_sums(Type type, const void* dy, const void* x, float* partials,
                           const Plane& plane, std::int64_t pixels, const Scalars* scalars) {
  return typed("scale_gradient_sums", type, plane, [&]<class T>(Launcher& at) {
    const ScaleGradientColumns<T> rule{.dy = at.reads<T>(dy),
                                       .x = at.reads<T>(x),
                                       .valid = valid_rows(at, scalars, pixels),
                                       .channels = plane.channels,
                                       .stored = plane.stored};
    return part_sums(at, rule, plane, partials);
  });
}

}  // namespace millrace::gpu
