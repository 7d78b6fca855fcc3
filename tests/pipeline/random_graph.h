#pragma once
// Pipelines drawn at random from a seed: sources, fan-out, joins, gather, with, pending work,
// retry, skip, delays and faults. What must hold for each of them is checked after its run.

#include <millrace/core/random.h>
#include <millrace/pipeline/pipeline.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace millrace::test {

/// What came of one graph.
struct GraphResult {
  std::string plan;     ///< what was built, for messages
  std::string problem;  ///< what does not hold; empty: all is well
  bool has_failed = false, was_stopped = false;
  std::uint64_t skipped = 0, retried = 0, delivered = 0;
};

/// Builds the graph of `seed` and runs it. The same seed gives the same graph, delays and faults;
/// how threads interleave differs.
[[nodiscard]] GraphResult run_random_graph(std::uint64_t seed);

/// Work or a wait of a length that follows from the numbers: turns of a loop, or of giving way.
void delay(std::uint64_t seed, std::uint64_t number);

}  // namespace millrace::test
