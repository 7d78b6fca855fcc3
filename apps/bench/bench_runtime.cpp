// millrace bench runtime: what a hop from stage to stage and a loop over a range cost, and how far
// a chain of stages is from oneTBB's parallel_pipeline.

#include "apps/bench/bench.h"
#include "apps/bench/runtime_bench.h"
#include "apps/common/table.h"

#include <millrace/core/error.h>
#include <millrace/core/plural.h>

#include <algorithm>
#include <iostream>
#include <utility>

namespace millrace::apps {
namespace {

Spread scaled(std::vector<double> values, double factor) {
  for (double& value : values) value *= factor;
  return spread_of(std::move(values));
}

nlohmann::ordered_json json_of(const HopTimes& hops) {
  return {{"wall_ns", json_of(spread_of(hops.wall_ns))},
          {"core_ns", json_of(spread_of(hops.core_ns))}};
}

nlohmann::ordered_json json_of(const EndTimes& ends) {
  return {{"sink_us", json_of(spread_of(ends.sink_us))},
          {"range_us", json_of(spread_of(ends.range_us))},
          {"more_us", json_of(spread_of(ends.more_us))}};
}

nlohmann::ordered_json json_of(const RuntimeBench& bench, const ChainTimes& chain) {
  return {{"stages", 4},
          {"work_us", bench.work_us},
          {"items", bench.items},
          {"pipeline_s", json_of(spread_of(chain.pipeline_s))},
          {"parallel_pipeline_s", json_of(spread_of(chain.parallel_pipeline_s))},
          {"ratio", json_of(spread_of(chain.ratios))}};
}

void print(const RuntimeBench& bench, const HopTimes& serial, const HopTimes& concurrent,
           const EndTimes& ends, const ChainTimes& chain) {
  Table table;
  table.add({"", "ns by the clock", "ns of a core"});
  for (const auto& [title, hops] : {std::pair("a hop, stages one at a time", &serial),
                                    std::pair("a hop, stages on all threads", &concurrent)}) {
    table.add({title, text_of(spread_of(hops->wall_ns), 0), text_of(spread_of(hops->core_ns), 0)});
  }
  std::cout << bench.threads << ' ' << plural(bench.threads, "thread") << '\n'
            << table << "an item to a sink: " << text_of(spread_of(ends.sink_us), 2)
            << " us, to a loop over a range: " << text_of(spread_of(ends.range_us), 2)
            << " us, more: " << text_of(spread_of(ends.more_us), 2) << " us\n"
            << "four stages of " << bench.work_us << " us, " << bench.items
            << " items: " << text_of(scaled(chain.pipeline_s, 1e3), 1) << " ms, parallel_pipeline "
            << text_of(scaled(chain.parallel_pipeline_s, 1e3), 1) << " ms, ratio "
            << text_of(spread_of(chain.ratios), 3) << '\n';
}

}  // namespace

int bench_runtime(const std::vector<std::string>& arguments) {
  BenchOptions o;
  RuntimeBench bench;
  CommandLine line("bench runtime", "bench runtime [OPTIONS]",
                   "Times empty stages, and four working stages in turn with oneTBB's "
                   "parallel_pipeline.");
  line.topic("measurement", "Measurement");
  line("hops", bench.hops, "N", "hops through empty stages in a measurement", at_least(1000));
  line("items", bench.items, "N", "items through the working stages", at_least(1));
  line("work", bench.work_us, "US", "microseconds that a stage works on an item",
       within(0, 1'000'000));
  line("threads", o.machine.threads, "N", "of the pipelines", at_least(0))
      .by_default("the cores available to the process");
  line("repeats", o.repeats, "N", "measurements; median, min and max are shown", at_least(1));
  line("warmup", o.warmup, "N", "warm-up runs, not measured", at_least(0));
  line("json", o.json, "FILE", "write all numbers and the machine's facts; - for standard output");
  if (!line.parse(arguments)) return 0;
  check_and_choose("bench runtime", o);
  bench.threads = o.machine.threads;
  bench.repeats = o.repeats;
  bench.warmup = o.warmup;
  return stoppable([&](BenchWatch& watch) {
    bench.stop = watch.stop();
    constexpr std::uint64_t kMany = 20'000'000;  // seconds
    watch.begin("hops, loops and chains of stages", bench.hops >= kMany);
    const HopTimes serial = measure_hops(bench, false);
    const HopTimes concurrent = measure_hops(bench, true);
    const EndTimes ends = measure_ends(bench);
    const ChainTimes chain = measure_chains(bench);
    if (o.prints_text()) print(bench, serial, concurrent, ends, chain);
    if (o.json.empty()) return;
    write_json(o, {{"command", "bench runtime"},
                   {"hop_one_at_a_time", json_of(serial)},
                   {"hop_on_all_threads", json_of(concurrent)},
                   {"end", json_of(ends)},
                   {"chain", json_of(bench, chain)},
                   {"machine", machine_facts(o)}});
  });
}

}  // namespace millrace::apps
