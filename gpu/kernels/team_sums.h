#pragma once
// Kernels that add up: a team of threads makes a sum of parts, each thread one, added in the order
// of a fixed tree. The host does the same in loops, in the same order. A functor has
//   using Sum = ...;                          // with +=
//   std::int32_t width;                       // a power of two, at most kThreads
//   Sum part(std::int64_t team, int thread) const;
//   void finish(std::int64_t team, int thread, const Sum& sum) const;
// where a team makes `width` sums: finish() gets, for each thread below width, the sum of the parts
// of that thread, thread + width, thread + 2 width, ... Teams are independent.
//
// With it sums over the rows of a plane: of parts of the rows first, then of the parts. What is
// added, and what becomes of the sum, is a rule:
//   static constexpr int kLanes, kSums;
//   std::int64_t rows() const;                       // that count
//   void add(std::int64_t row, std::int64_t channel, Sums<kSums, kLanes>& sums) const;
//   void finish(std::int64_t channel, Sums<kSums, kLanes>& sums) const;  // parts may do without
//   std::int64_t channels;                           // that count: parts of others are zero

#include <millrace/gpu/kernels/kernel.h>
#include <millrace/gpu/scalars.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#ifdef __CUDACC__

namespace millrace::gpu {

template <class F>
__global__ void __launch_bounds__(kThreads, kBlocks)
    run_teams_on_device(const __grid_constant__ F functor, std::int64_t teams) {
  __shared__ typename F::Sum sums[kThreads];
  const int thread = static_cast<int>(threadIdx.x);
  for (std::int64_t team = blockIdx.x; team < teams; team += gridDim.x) {
    sums[thread] = functor.part(team, thread);
    __syncthreads();
    for (int half = kThreads / 2; half >= functor.width; half /= 2) {
      if (thread < half) sums[thread] += sums[thread + half];
      __syncthreads();
    }
    if (thread < functor.width) functor.finish(team, thread, sums[thread]);
    __syncthreads();  // before the next team writes its parts
  }
}

template <class F>
int launch_teams_on_device(const void* arguments, std::int64_t teams, void* stream) {
  if (teams <= 0) return cudaSuccess;
  void* parameters[] = {const_cast<void*>(arguments), &teams};
  return cudaLaunchKernel(reinterpret_cast<const void*>(&run_teams_on_device<F>),
                          dim3(static_cast<unsigned>(std::min(teams, kMostBlocks))), dim3(kThreads),
                          parameters, 0, static_cast<cudaStream_t>(stream));
}

template <class F>
void run_teams_on_host(const void* arguments, std::int64_t teams) {
  const F& functor = *static_cast<const F*>(arguments);
  std::vector<typename F::Sum> sums(kThreads);
  for (std::int64_t team = 0; team < teams; ++team) {
    for (int thread = 0; thread < kThreads; ++thread) sums[thread] = functor.part(team, thread);
    for (int half = kThreads / 2; half >= functor.width; half /= 2) {
      for (int thread = 0; thread < half; ++thread) sums[thread] += sums[thread + half];
    }
    for (int thread = 0; thread < functor.width; ++thread) {
      functor.finish(team, thread, sums[thread]);
    }
  }
}

/// As Launcher::calls(), with a team where that has a call.
template <class F>
Launch launch_of_teams(const Launcher& at, const F& functor, std::int64_t teams) {
  static const Kernel kernel{at.kernel(), &launch_teams_on_device<F>, &run_teams_on_host<F>};
  return at.launch(kernel, functor, teams);
}

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

/// How the chunks of rows are divided among the threads of teams.
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
    if constexpr (requires { rule.finish(channel, sum); }) rule.finish(channel, sum);
    for (int s = 0; s < Rule::kSums; ++s) {
      store_lanes(partials + (s * parts + place.part) * stored + channel, sum.of[s],
                  rule.channels - channel);
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

/// Rows of the samples that are valid.
struct ValidRows {
  const Scalars* scalars;
  std::int64_t pixels;
  MILLRACE_HOST_DEVICE std::int64_t operator()() const { return scalars->samples * pixels; }
};
inline ValidRows valid_rows(Launcher& at, const Scalars* scalars, std::int64_t pixels) {
  MILLRACE_CHECK(pixels > 0, at.kernel(), ": a sample has no rows");
  return {at.reads_any<Scalars>(scalars), pixels};
}

/// The least power of two that holds the chunks of a row, at most kTeamChunks.
inline std::int32_t team_width(std::int64_t chunks) {
  std::int32_t width = 1;
  while (width < kTeamChunks && width < chunks) width *= 2;
  return width;
}

template <class Rule>
Launch part_sums(Launcher& at, const Rule& rule, const Plane& plane, float* partials) {
  const std::int64_t chunks = plane.stored / Rule::kLanes;
  const std::int64_t parts = sum_parts(plane.rows);
  const std::int32_t width = team_width(chunks);
  return launch_of_teams(
      at,
      PartSums<Rule>{.rule = rule,
                     .parts = parts,
                     .rows_of_part = (plane.rows + parts - 1) / parts,
                     .stored = plane.stored,
                     .partials = at.writes<float>(partials, Rule::kSums * parts * plane.stored),
                     .width = width},
      parts * ((chunks + width - 1) / width));
}

template <class Rule>
Launch total_sums(Launcher& at, const Rule& rule, const Plane& plane, const float* partials) {
  const std::int64_t chunks = plane.stored / Rule::kLanes;
  const std::int64_t parts = sum_parts(plane.rows);
  const std::int32_t width = team_width(chunks);
  return launch_of_teams(
      at,
      TotalSums<Rule>{.rule = rule,
                      .partials = at.reads<float>(partials, Rule::kSums * parts * plane.stored),
                      .parts = parts,
                      .stored = plane.stored,
                      .width = width},
      (chunks + width - 1) / width);
}

}  // namespace millrace::gpu

#endif  // __CUDACC__
