#include "apps/bench/runtime_bench.h"

#include <millrace/core/error.h>
#include <millrace/io/watch.h>
#include <millrace/pipeline/range.h>

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>

#include <time.h>
#include <algorithm>
#include <chrono>
#include <utility>

namespace millrace::apps {
namespace {

namespace tbb = oneapi::tbb;

double seconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Wall time and processor time of all threads.
struct Times {
  double wall_s = 0, core_s = 0;
};
template <class F>
Times timed(F&& f) {
  const Times begin{seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID)};
  f();
  return {seconds(CLOCK_MONOTONIC) - begin.wall_s,
          seconds(CLOCK_PROCESS_CPUTIME_ID) - begin.core_s};
}

void run(Pipeline& p, const RuntimeBench& bench) {
  if (p.run(bench.stop).stopped) throw Stopped("stopped on request");
}

/// Enough that all threads find work, few enough that memory is bounded.
int items_under_way(const RuntimeBench& bench) {
  return 4 * bench.threads;
}

auto count_to(std::uint64_t count) {
  return [count, i = std::uint64_t{0}]() mutable {
    return i < count ? std::optional<std::uint64_t>(i++) : std::nullopt;
  };
}

Times run_empty_chain(const RuntimeBench& bench, int stages, bool is_concurrent) {
  Pipeline p{{.name = "empty stages", .threads = bench.threads}};
  auto stream = p.source({.name = "count"}, slots(items_under_way(bench)),
                         count_to(bench.hops / static_cast<std::uint64_t>(stages)));
  for (int i = 0; i < stages; ++i) {
    Stage stage{.name = concat("stage ", i)};
    if (is_concurrent) stage.concurrency = kAllThreads;
    stream = p.then(stream, stage, [](std::uint64_t n) { return n; });
  }
  p.sink(stream, {.name = "end"}, [](std::uint64_t) {});
  return timed([&] { run(p, bench); });
}

double us_of_an_end(const RuntimeBench& bench, bool is_range) {
  Pipeline p{{.name = "end", .threads = bench.threads}};
  const std::uint64_t items = std::max<std::uint64_t>(bench.hops / 8, 1);
  auto numbers = p.source({.name = "count"}, slots(items_under_way(bench)), count_to(items));
  std::uint64_t seen = 0;
  const Times times = timed([&] {
    if (is_range) {
      for ([[maybe_unused]] const std::uint64_t n : p.range(numbers, bench.stop)) ++seen;
    } else {
      p.sink(numbers, {.name = "end"}, [&seen](std::uint64_t) { ++seen; });
      run(p, bench);
    }
  });
  if (bench.stop.stop_requested()) throw Stopped("stopped on request");
  MILLRACE_CHECK(seen == items, "a stream ends with its source");
  return times.wall_s / static_cast<double>(items) * 1e6;
}

/// Work of a fixed number of instructions: a loop that is as long on every thread, whatever else
/// runs on its core.
class Work {
 public:
  explicit Work(double us) {
    double best = 1;
    for (int i = 0; i < 20; ++i) {
      const double begin = seconds(CLOCK_THREAD_CPUTIME_ID);
      turn(kProbe);
      best = std::min(best, seconds(CLOCK_THREAD_CPUTIME_ID) - begin);
    }
    turns_ = static_cast<std::uint64_t>(us * 1e-6 / best * kProbe);
  }
  std::uint64_t operator()(std::uint64_t n) const {
    turn(turns_);
    return n;
  }

 private:
  static constexpr std::uint64_t kProbe = 200'000;
  static void turn(std::uint64_t times) {
    std::uint64_t state = times;
    for (std::uint64_t i = 0; i < times; ++i) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      asm volatile("" : "+r"(state));  // one after the other, and not left out
    }
  }
  std::uint64_t turns_ = 0;
};

double run_pipeline(const RuntimeBench& bench, const Work& work) {
  Pipeline p{{.name = "chain", .threads = bench.threads}};
  auto numbers = p.source({.name = "count"}, slots(items_under_way(bench)), count_to(bench.items));
  auto first = p.then(numbers, {.name = "first"}, work);
  auto second = p.then(first, {.name = "second", .concurrency = kAllThreads}, work);
  auto third = p.then(second, {.name = "third", .concurrency = kAllThreads}, work);
  p.sink(third, {.name = "fourth"}, [&work](std::uint64_t n) { work(n); });
  return timed([&] { run(p, bench); }).wall_s;
}

double run_parallel_pipeline(const RuntimeBench& bench, const Work& work) {
  using Number = std::uint64_t;
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                                  static_cast<std::size_t>(bench.threads));
  tbb::task_arena arena(bench.threads);
  auto next = count_to(bench.items);
  const auto source = tbb::make_filter<void, Number>(tbb::filter_mode::serial_in_order,
                                                     [&](tbb::flow_control& control) {
                                                       const std::optional<Number> n = next();
                                                       if (!n || bench.stop.stop_requested())
                                                         control.stop();
                                                       return n.value_or(0);
                                                     });
  const auto in_order = tbb::make_filter<Number, Number>(tbb::filter_mode::serial_in_order, work);
  const auto at_will = tbb::make_filter<Number, Number>(tbb::filter_mode::parallel, work);
  const auto last = tbb::make_filter<Number, void>(tbb::filter_mode::serial_in_order,
                                                   [&work](Number n) { work(n); });
  return timed([&] {
           arena.execute([&] {
             tbb::parallel_pipeline(static_cast<std::size_t>(items_under_way(bench)),
                                    source & in_order & at_will & at_will & last);
           });
         })
      .wall_s;
}

}  // namespace

HopTimes measure_hops(const RuntimeBench& bench, bool is_concurrent) {
  constexpr int kFew = 4, kMany = 16;
  HopTimes times{.is_concurrent = is_concurrent};
  for (int i = -bench.warmup; i < bench.repeats; ++i) {
    const Times few = run_empty_chain(bench, kFew, is_concurrent);
    const Times many = run_empty_chain(bench, kMany, is_concurrent);
    if (i < 0) continue;
    // Both make as many hops; the shorter chain also has four times the items at its two ends.
    const auto hops = static_cast<double>(bench.hops);
    const double more_ends = hops / kFew - hops / kMany;
    const auto of_a_hop = [&](double of_few, double of_many) {
      const double an_end = (of_few - of_many) / more_ends;
      return (of_many - an_end * hops / kMany) / hops * 1e9;
    };
    times.wall_ns.push_back(of_a_hop(few.wall_s, many.wall_s));
    times.core_ns.push_back(of_a_hop(few.core_s, many.core_s));
  }
  return times;
}

EndTimes measure_ends(const RuntimeBench& bench) {
  EndTimes times;
  for (int i = -bench.warmup; i < bench.repeats; ++i) {
    const double sink = us_of_an_end(bench, false);
    const double range = us_of_an_end(bench, true);
    if (i < 0) continue;
    times.sink_us.push_back(sink);
    times.range_us.push_back(range);
    times.more_us.push_back(range - sink);
  }
  return times;
}

ChainTimes measure_chains(const RuntimeBench& bench) {
  const Work work(bench.work_us);
  ChainTimes times;
  for (int i = -bench.warmup; i < bench.repeats; ++i) {
    double ours = 0, theirs = 0;
    // Who goes first takes turns, since the machine may be slowing down or warming up.
    if (i % 2 == 0) ours = run_pipeline(bench, work);
    theirs = run_parallel_pipeline(bench, work);
    if (i % 2 != 0) ours = run_pipeline(bench, work);
    if (i < 0) continue;
    times.pipeline_s.push_back(ours);
    times.parallel_pipeline_s.push_back(theirs);
    times.ratios.push_back(ours / theirs);
  }
  return times;
}

}  // namespace millrace::apps
