// Graphs, delays and faults at random: no hang, no lost lease, no item out of order.

#include "pipeline/random_graph.h"
#include "catch.h"

using namespace millrace::test;

TEST_CASE("random graphs under random delays and faults end, with all leases home") {
  int failed = 0, stopped = 0;
  std::uint64_t retried = 0, skipped = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const GraphResult result = run_random_graph(seed);
    INFO("seed " << seed << ": " << result.problem << '\n' << result.plan);
    CHECK(result.problem.empty());
    failed += result.has_failed ? 1 : 0;
    stopped += result.was_stopped ? 1 : 0;
    retried += result.retried;
    skipped += result.skipped;
  }
  CAPTURE(failed, stopped, retried, skipped);
  // The seeds hold all kinds of runs.
  CHECK(failed > 5);
  CHECK(stopped > 2);
  CHECK(failed + stopped < 40);
  CHECK(retried > 0);
  CHECK(skipped > 0);
}
