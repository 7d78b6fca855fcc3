#include <millrace/gpu/kernels/column_sums.h>

#include <millrace/gpu/kernels/team_sums.h>

namespace millrace::gpu {

/// The columns of a gradient; kRelu: first made that of a ReLU with output y, and written to dx.
template <class T, bool kRelu>
struct GradientColumns {
  static constexpr int kLanes = kChunk<T>, kSums = 1;
  const T* dy;
  const T* y;
  T* dx;
  std::int64_t row_count, channels, stored;

  MILLRACE_HOST_DEVICE std::int64_t rows() const { return row_count; }
  MILLRACE_HOST_DEVICE void add(std::int64_t row, std::int64_t channel,
                                Sums<1, kLanes>& sums) const {
    const std::int64_t at = row * stored + channel;
    auto values = load_lanes<kLanes>(dy + at);
    if constexpr (kRelu) {
      const auto kept = load_lanes<kLanes>(y + at);
      for (int k = 0; k < kLanes; ++k) values[k] = kept[k] > 0 ? values[k] : 0.0F;
      store_lanes(dx + at, values, channels - channel);
    }
    for (int k = 0; k < kLanes; ++k) sums.of[0][k] += values[k];
  }
};

template <class T>
struct ColumnTotals {
  static constexpr int kLanes = kChunk<T>, kSums = 1;
  T* db;
  std::int64_t channels;

  MILLRACE_HOST_DEVICE void finish(std::int64_t channel, const Sums<1, kLanes>& sums) const {
    store_lanes(db + channel, sums.of[0], channels - channel);
  }
};

Launch column_sums(Type type, const void* dy, const void* y, void* dx, float* partials,
                   const Plane& plane) {
  if (y == nullptr) {
    return typed("column_sums", type, plane, [&]<class T>(Launcher& at) {
      const GradientColumns<T, false> rule{.dy = at.reads<T>(dy),
                                           .y = nullptr,
                                           .dx = nullptr,
                                           .row_count = plane.rows,
                                           .channels = plane.channels,
                                           .stored = plane.stored};
      return part_sums(at, rule, plane, partials);
    });
  }
  return typed("relu_backward_column_sums", type, plane, [&]<class T>(Launcher& at) {
    const GradientColumns<T, true> rule{.dy = at.reads<T>(dy),
                                        .y = at.reads<T>(y),
                                        .dx = at.writes<T>(dx),
                                        .row_count = plane.rows,
                                        .channels = plane.channels,
                                        .stored = plane.stored};
    return part_sums(at, rule, plane, partials);
  });
}

Launch column_totals(Type type, const float* partials, void* db, const Plane& plane) {
  return typed("column_totals", type, plane, [&]<class T>(Launcher& at) {
    return total_sums(at, ColumnTotals<T>{at.writes<T>(db, plane.stored), plane.channels}, plane,
                      partials);
  });
}

}  // namespace millrace::gpu
