// The long ones: ctest --preset stress.

#include "catch.h"
#include "pipeline/random_graph.h"

using namespace millrace;
using namespace millrace::test;

TEST_CASE("a million messages keep their order under random delays") {
  constexpr std::uint64_t kMessages = 1'000'000;
  const int threads = GENERATE(1, 4);
  Pipeline p{{.threads = threads}};
  auto numbers = p.source({.name = "count"}, slots(64), [i = std::uint64_t{0}]() mutable {
    return i < kMessages ? std::optional<std::uint64_t>(i++) : std::nullopt;
  });
  const auto late = [](std::uint64_t stage) {
    return [stage](std::uint64_t n) {
      if (n % 16 == stage) delay(stage, n);
      return n;
    };
  };
  auto first = p.then(numbers, {.name = "first", .concurrency = 4}, late(1));
  std::uint64_t next_inner = 0, next_engine = 0, next_sink = 0, wrong = 0;
  auto inner = p.then(first, {.name = "inner"}, [&](std::uint64_t n) {
    wrong += n == next_inner++ ? 0 : 1;
    return n;
  });
  auto second = p.then(inner, {.name = "second", .concurrency = 3}, late(2));
  std::uint64_t wrong_engine = 0, wrong_sink = 0;
  p.sink(inner, {.name = "engine", .on = On::engine},
         [&](std::uint64_t n) { wrong_engine += n == next_engine++ ? 0 : 1; });
  p.sink(second, {.name = "sink"},
         [&](std::uint64_t n) { wrong_sink += n == next_sink++ ? 0 : 1; });
  p.run();
  CHECK(wrong + wrong_engine + wrong_sink == 0);
  CHECK(next_inner == kMessages);
  CHECK(next_engine == kMessages);
  CHECK(next_sink == kMessages);
}

TEST_CASE("a thousand random graphs under random delays and faults end, with all leases home") {
  for (std::uint64_t seed = 1'000; seed < 2'000; ++seed) {
    const GraphResult result = run_random_graph(seed);
    INFO("seed " << seed << ": " << result.problem << '\n' << result.plan);
    CHECK(result.problem.empty());
  }
}
