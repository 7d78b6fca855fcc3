#pragma once
// Sums over the rows of a plane, for host and device: of parts of the rows first, then of the
// parts. What is added, and what becomes of the sum, is a rule:
//   static constexpr int kLanes, kSums;
//   std::int64_t rows() const;                       // that count
//   void add(std::int64_t row, std::int64_t channel, Sums<kSums, kLanes>& sums) const;
//   void finish(std::int64_t channel, Sums<kSums, kLanes>& sums) const;

#include <millrace/gpu/kernels/kernel.h>
#include <millrace/gpu/kernels/lanes.h>

#include <cstdint>

namespace millrace::gpu {

/// Enough parts to fill a GPU, few enough to be added up in no time.
inline constexpr std::int64_t kRowsOfPart = 128, kMostParts = 512;
/// Chunks of a row that a team adds up side by side: a line of a GPU's cache.
inline constexpr std::int64_t kTeamChunks = 8;

template <int kSums, int kLanes>
struct Sums {
  Lanes<kLanes> of[kSums];

  MILLRACE_HOST_DEVICE Sums& operator+=(const Sums& other) {
    for (int s = 0; s < kSums; ++s) {
      for (int k = 0; k < kLanes; ++k) of[s][k] += other.of[s][k];
    }
    return *this;
  }
};

/// How threads of teams share out the chunks of rows.
struct TeamPlace {
  std::int64_t part, chunk, row;  ///< row: the first one, counted from the part's beginning
};
MILLRACE_HOST_DEVICE inline TeamPlace place_of(std::int64_t team, int thread, std::int64_t chunks,
                                               int width) {
  const auto [part, group] = divide(team, (chunks + width - 1) / width);
  return {part, group * width + thread % width, thread / width};
}

/// Partials [Rule::kSums][parts][stored].
template <class Rule>
struct PartSums {
  using Sum = Sums<Rule::kSums, Rule::kLanes>;
  Rule rule;
  std::int64_t parts, rows_of_part, stored;
  float* partials;
  std::int32_t width;

  MILLRACE_HOST_DEVICE Sum part(std::int64_t team, int thread) const {
    const TeamPlace place = place_of(team, thread, stored / Rule::kLanes, width);
    const std::int64_t channel = place.chunk * Rule::kLanes;
    Sum sum{};
    if (channel >= stored) return sum;
    const std::int64_t begin = place.part * rows_of_part;
    const std::int64_t end =
        begin + rows_of_part < rule.rows() ? begin + rows_of_part : rule.rows();
#pragma unroll 4  // loads of several rows at a time
    for (std::int64_t row = begin + place.row; row < end; row += kThreads / width) {
      rule.add(row, channel, sum);
    }
    return sum;
  }
  MILLRACE_HOST_DEVICE void finish(std::int64_t team, int thread, Sum sum) const {
    const TeamPlace place = place_of(team, thread, stored / Rule::kLanes, width);
    const std::int64_t channel = place.chunk * Rule::kLanes;
    if (channel >= stored) return;
    rule.finish(channel, sum);
    for (int s = 0; s < Rule::kSums; ++s) {
      store_lanes(partials + (s * parts + place.part) * stored + channel, sum.of[s]);
    }
  }
};

/// From partials to what the rule makes of the sums; it has neither rows() nor add().
template <class Rule>
struct TotalSums {
  using Sum = Sums<Rule::kSums, Rule::kLanes>;
  Rule rule;
  const float* partials;
  std::int64_t parts, stored;
  std::int32_t width;

  MILLRACE_HOST_DEVICE Sum part(std::int64_t team, int thread) const {
    const TeamPlace place = place_of(team, thread, stored / Rule::kLanes, width);
    const std::int64_t channel = place.chunk * Rule::kLanes;
    Sum sum{};
    if (channel >= stored) return sum;
#pragma unroll 4
    for (std::int64_t part = place.row; part < parts; part += kThreads / width) {
      Sum one;
      for (int s = 0; s < Rule::kSums; ++s) {
        one.of[s] = load_lanes<Rule::kLanes>(partials + (s * parts + part) * stored + channel);
      }
      sum += one;
    }
    return sum;
  }
  MILLRACE_HOST_DEVICE void finish(std::int64_t team, int thread, Sum sum) const {
    const TeamPlace place = place_of(team, thread, stored / Rule::kLanes, width);
    const std::int64_t channel = place.chunk * Rule::kLanes;
    if (channel < stored) rule.finish(channel, sum);
  }
};

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
  MILLRACE_HOST_DEVICE void finish(std::int64_t channel, Sums<1, kLanes>& sums) const {
    for (int k = 0; k < kLanes; ++k) {
      if (channel + k >= channels) sums.of[0][k] = 0;
    }
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

}  // namespace millrace::gpu
