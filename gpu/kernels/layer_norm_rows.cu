// Sums over the channels of each row: the formulas of nn/layers/layer_norm.cpp.
#include <millrace/gpu/kernels/layer_norm.h>

#include <millrace/gpu/kernels/team_sums.h>

namespace millrace::gpu {

/// A team has `width` rows; neighbouring threads have one after the other, so that together they
/// read whole lines of all of them. As many threads share a row as it has chunks, if there are so
/// many.
struct RowTeams {
  std::int64_t rows, channels, stored;
  std::int32_t width;

  MILLRACE_HOST_DEVICE std::int64_t row(std::int64_t team, int thread) const {
    return team * width + thread % width;
  }
  /// Calls body(first channel) for the chunks of a thread.
  template <int N, class Body>
  MILLRACE_HOST_DEVICE void for_chunks(int thread, Body&& body) const {
    for (std::int64_t c = thread / width * N; c < channels; c += kThreads / width * N) body(c);
  }
};

/// How many numbers there are, their mean, and the sum of squared differences from it: put together
/// by Chan, Golub and LeVeque's formula, nothing is lost where a mean is large.
struct Moments {
  float count, mean, squares;

  MILLRACE_HOST_DEVICE Moments& operator+=(const Moments& other) {
    const float all = count + other.count;
    if (all == 0) return *this;
    const float share = other.count / all, distance = other.mean - mean;
    squares += other.squares + distance * distance * count * share;
    mean += distance * share;
    count = all;
    return *this;
  }
};

template <int N>
MILLRACE_HOST_DEVICE Moments moments_of(const Lanes<N>& values, std::int64_t counting) {
  Moments result{counting < N ? static_cast<float>(counting) : static_cast<float>(N), 0, 0};
  for (int k = 0; k < N; ++k) result.mean += k < counting ? values[k] : 0.0F;
  result.mean /= result.count;
  for (int k = 0; k < N; ++k) {
    const float difference = k < counting ? values[k] - result.mean : 0.0F;
    result.squares += difference * difference;
  }
  return result;
}

template <class T>
struct RowMoments {
  using Sum = Moments;
  const T* x;
  float* mean;
  float* inverse;
  float epsilon;
  RowTeams teams;
  std::int32_t width;

  MILLRACE_HOST_DEVICE Sum part(std::int64_t team, int thread) const {
    constexpr int kLanes = kChunk<T>;
    const std::int64_t row = teams.row(team, thread);
    Sum sum{};
    if (row >= teams.rows) return sum;
    teams.for_chunks<kLanes>(thread, [&](std::int64_t c) {
      sum += moments_of(load_lanes<kLanes>(x + row * teams.stored + c), teams.channels - c);
    });
    return sum;
  }
  MILLRACE_HOST_DEVICE void finish(std::int64_t team, int thread, const Sum& sum) const {
    const std::int64_t row = teams.row(team, thread);
    if (row >= teams.rows) return;
    mean[row] = sum.mean;
    inverse[row] = inverse_root(sum.squares / sum.count + epsilon);
  }
};

struct TwoSums {
  float first, second;

  MILLRACE_HOST_DEVICE TwoSums& operator+=(const TwoSums& other) {
    first += other.first;
    second += other.second;
    return *this;
  }
};

template <class T>
struct RowGradientSums {
  using Sum = TwoSums;
  const T* dy;
  const T* x;
  const float* mean;
  const float* inverse;
  const float* gamma;
  float* sums;  ///< [2][rows]
  RowTeams teams;
  std::int32_t width;

  MILLRACE_HOST_DEVICE Sum part(std::int64_t team, int thread) const {
    constexpr int kLanes = kChunk<T>;
    const std::int64_t row = teams.row(team, thread);
    Sum sum{};
    if (row >= teams.rows) return sum;
    const float middle = mean[row], factor = inverse[row];
    teams.for_chunks<kLanes>(thread, [&](std::int64_t c) {
      const auto slopes = load_lanes<kLanes>(dy + row * teams.stored + c);
      const auto values = load_lanes<kLanes>(x + row * teams.stored + c);
      const auto scale = load_lanes<kLanes>(gamma + c);
      for (int k = 0; k < kLanes && c + k < teams.channels; ++k) {
        const float slope = slopes[k] * scale[k];
        sum.first += slope;
        sum.second += slope * ((values[k] - middle) * factor);
      }
    });
    return sum;
  }
  MILLRACE_HOST_DEVICE void finish(std::int64_t team, int thread, const Sum& sum) const {
    const std::int64_t row = teams.row(team, thread);
    if (row >= teams.rows) return;
    const auto count = static_cast<float>(teams.channels);
    sums[row] = sum.first / count;
    sums[teams.rows + row] = sum.second / count;
  }
};

template <class T>
RowTeams row_teams(const Plane& plane) {
  const std::int64_t chunks = plane.stored / kChunk<T>;
  std::int32_t threads = 1;
  while (threads < chunks && threads < kThreads) threads *= 2;
  return {plane.rows, plane.channels, plane.stored, kThreads / threads};
}

inline std::int64_t count_of(const RowTeams& teams) {
  return (teams.rows + teams.width - 1) / teams.width;
}

Launch layer_norm_moments(Type type, const void* x, float* mean, float* inverse, const Plane& plane,
                          float epsilon) {
  return typed("layer_norm_moments", type, plane, [&]<class T>(Launcher& at) {
    const RowTeams teams = row_teams<T>(plane);
    return launch_of_teams(at,
                           RowMoments<T>{.x = at.reads<T>(x),
                                         .mean = at.writes<float>(mean, plane.rows),
                                         .inverse = at.writes<float>(inverse, plane.rows),
                                         .epsilon = epsilon,
                                         .teams = teams,
                                         .width = teams.width},
                           count_of(teams));
  });
}

Launch layer_norm_row_sums(Type type, const LayerNormGradient& of, float* sums,
                           const Plane& plane) {
  return typed("layer_norm_row_sums", type, plane, [&]<class T>(Launcher& at) {
    const RowTeams teams = row_teams<T>(plane);
    return launch_of_teams(at,
                           RowGradientSums<T>{.dy = at.reads<T>(of.dy),
                                              .x = at.reads<T>(of.x),
                                              .mean = at.reads<float>(of.mean, plane.rows),
                                              .inverse = at.reads<float>(of.inverse, plane.rows),
                                              .gamma = at.reads<float>(of.gamma, plane.stored),
                                              .sums = at.writes<float>(sums, 2 * plane.rows),
                                              .teams = teams,
                                              .width = teams.width},
                           count_of(teams));
  });
}

}  // namespace millrace::gpu
