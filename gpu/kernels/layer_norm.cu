// The formulas of nn/layers/layer_norm.cpp; layer_norm_rows.cu has the sums of rows.
#include <millrace/gpu/kernels/layer_norm.h>

#include <millrace/gpu/kernels/team_sums.h>

namespace millrace::gpu {

// ---- element by element -------------------------------------------------------------------------

/// A chunk a call.
template <class T>
struct LayerNormApply {
  const T* x;
  const float* mean;
  const float* inverse;
  const float* gamma;
  const float* beta;
  T* y;
  std::int64_t channels, stored;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const auto [row, chunk] = divide(i, stored / kLanes);
    const std::int64_t first = chunk * kLanes;
    auto values = load_lanes<kLanes>(x + i * kLanes);
    const auto scale = load_lanes<kLanes>(gamma + first);
    const auto offset = load_lanes<kLanes>(beta + first);
    for (int k = 0; k < kLanes; ++k) {
      values[k] = (values[k] - mean[row]) * inverse[row] * scale[k] + offset[k];
    }
    store_lanes(y + i * kLanes, values, channels - first);
  }
};

/// A chunk a call.
template <class T>
struct LayerNormSlope {
  const T* dy;
  const T* x;
  const float* mean;
  const float* inverse;
  const float* gamma;
  const float* sums;
  T* dx;
  ValidRows valid;
  std::int64_t rows, channels, stored;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const auto [row, chunk] = divide(i, stored / kLanes);
    const std::int64_t first = chunk * kLanes;
    if (row >= valid()) return store_lanes(dx + i * kLanes, Lanes<kLanes>{});
    const auto slopes = load_lanes<kLanes>(dy + i * kLanes);
    auto values = load_lanes<kLanes>(x + i * kLanes);
    const auto scale = load_lanes<kLanes>(gamma + first);
    for (int k = 0; k < kLanes; ++k) {
      const float normal = (values[k] - mean[row]) * inverse[row];
      const float common = sums[row] + normal * sums[rows + row];
      values[k] = inverse[row] * (scale[k] * slopes[k] - common);
    }
    store_lanes(dx + i * kLanes, values, channels - first);
  }
};

Launch layer_norm_apply(Type type, const void* x, const float* mean, const float* inverse,
                        const float* gamma, const float* beta, void* y, const Plane& plane) {
  return typed("layer_norm", type, plane, [&]<class T>(Launcher& at) {
    return at.chunks<T>(LayerNormApply<T>{.x = at.reads<T>(x),
                                          .mean = at.reads<float>(mean, plane.rows),
                                          .inverse = at.reads<float>(inverse, plane.rows),
                                          .gamma = at.reads<float>(gamma, plane.stored),
                                          .beta = at.reads<float>(beta, plane.stored),
                                          .y = at.writes<T>(y),
                                          .channels = plane.channels,
                                          .stored = plane.stored});
  });
}

Launch layer_norm_backward(Type type, const LayerNormGradient& of, const float* sums, void* dx,
                           const Plane& plane) {
  return typed("layer_norm_backward", type, plane, [&]<class T>(Launcher& at) {
    return at.chunks<T>(LayerNormSlope<T>{.dy = at.reads<T>(of.dy),
                                          .x = at.reads<T>(of.x),
                                          .mean = at.reads<float>(of.mean, plane.rows),
                                          .inverse = at.reads<float>(of.inverse, plane.rows),
                                          .gamma = at.reads<float>(of.gamma, plane.stored),
                                          .sums = at.reads<float>(sums, 2 * plane.rows),
                                          .dx = at.writes<T>(dx),
                                          .valid = valid_rows(at, of.scalars, of.pixels),
                                          .rows = plane.rows,
                                          .channels = plane.channels,
                                          .stored = plane.stored});
  });
}

// ---- sums of columns ----------------------------------------------------------------------------

/// Sums of dy, and of dy times the normalised x.
template <class T>
struct LayerNormColumns {
  static constexpr int kLanes = kChunk<T>, kSums = 2;
  const T* dy;
  const T* x;
  const float* mean;
  const float* inverse;
  ValidRows valid;
  std::int64_t channels, stored;

  MILLRACE_HOST_DEVICE std::int64_t rows() const { return valid(); }
  MILLRACE_HOST_DEVICE void add(std::int64_t row, std::int64_t channel,
                                Sums<2, kLanes>& sums) const {
    const auto slopes = load_lanes<kLanes>(dy + row * stored + channel);
    const auto values = load_lanes<kLanes>(x + row * stored + channel);
    for (int k = 0; k < kLanes; ++k) {
      sums.of[0][k] += slopes[k];
      sums.of[1][k] += slopes[k] * ((values[k] - mean[row]) * inverse[row]);
    }
  }
};

Launch layer_norm_column_sums(Type type, const LayerNormGradient& of, float* partials,
                              const Plane& plane) {
  return typed("layer_norm_column_sums", type, plane, [&]<class T>(Launcher& at) {
    const LayerNormColumns<T> rule{.dy = at.reads<T>(of.dy),
                                   .x = at.reads<T>(of.x),
                                   .mean = at.reads<float>(of.mean, plane.rows),
                                   .inverse = at.reads<float>(of.inverse, plane.rows),
                                   .valid = valid_rows(at, of.scalars, of.pixels),
                                   .channels = plane.channels,
                                   .stored = plane.stored};
    return part_sums(at, rule, plane, partials);
  });
}

}  // namespace millrace::gpu
