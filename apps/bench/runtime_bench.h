#pragma once
// Measures what the runtime itself costs: a hop from stage to stage, a loop over a range, and a
// chain of stages beside oneTBB's parallel_pipeline on the same work.

#include <cstdint>
#include <stop_token>
#include <vector>

namespace millrace::apps {

struct RuntimeBench {
  int threads = 2;
  int repeats = 5, warmup = 1;
  std::uint64_t hops = 1'000'000;  ///< of one measurement of empty stages
  std::uint64_t items = 2'000;     ///< through the chain that works
  double work_us = 50;             ///< of one stage for one item
  std::stop_token stop{};          ///< ends all below: Stopped is thrown
};

/// Empty stages: nanoseconds an item takes a stage.
struct HopTimes {
  bool is_concurrent = false;     ///< stages of as many calls as threads, else of one
  std::vector<double> wall_ns{};  ///< by the clock, a value a repeat
  std::vector<double> core_ns{};  ///< of all cores together
};

/// From a source to the end of the stream, which does nothing: microseconds an item takes.
struct EndTimes {
  std::vector<double> sink_us{}, range_us{};
  std::vector<double> more_us{};  ///< of each pair: the range less the sink
};

/// Four stages that work: seconds of a run, and of parallel_pipeline just before or after it.
struct ChainTimes {
  std::vector<double> pipeline_s{}, parallel_pipeline_s{};
  std::vector<double> ratios{};  ///< of each pair of runs
};

/// From the difference of a chain of 16 stages and one of 4, so that source and start are left out.
[[nodiscard]] HopTimes measure_hops(const RuntimeBench& bench, bool is_concurrent);
/// A sink and a loop over a range, in turn.
[[nodiscard]] EndTimes measure_ends(const RuntimeBench& bench);
/// In turn. Both have as many items in flight, and stages in order, at will, at will, in order.
[[nodiscard]] ChainTimes measure_chains(const RuntimeBench& bench);

}  // namespace millrace::apps
