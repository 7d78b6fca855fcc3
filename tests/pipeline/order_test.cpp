#include "catch.h"

#include <millrace/core/random.h>
#include <millrace/pipeline/pipeline.h>

#include <algorithm>

using namespace millrace;

namespace {

/// Work of a random length, so that concurrent items overtake each other.
int spin(int n) {
  Random random(1, 0, static_cast<std::uint64_t>(n), Draw::user);
  volatile unsigned sink = 0;
  for (std::uint64_t i = random.below(400); i > 0; --i) sink = sink + 1;
  return n;
}

std::vector<int> numbers_after(const Stage& last, int count) {
  Pipeline p{{.threads = 4}};
  auto numbers = p.source({.name = "count"}, slots(32), [count, i = 0]() mutable {
    return i < count ? std::optional<int>(i++) : std::nullopt;
  });
  auto delayed = p.then(numbers, {.name = "delay", .concurrency = 4}, spin);
  auto again = p.then(delayed, {.name = "delay again", .concurrency = 3}, spin);
  std::vector<int> seen;
  p.sink(again, last, [&](int n) { seen.push_back(n); });
  p.run();
  return seen;
}

}  // namespace

TEST_CASE("a stage of concurrency 1 sees the order of the source behind concurrent stages") {
  const On on = GENERATE(On::compute, On::blocking, On::engine);
  const std::vector<int> seen = numbers_after({.name = "collect", .on = on}, 20'000);
  REQUIRE(seen.size() == 20'000);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
}

TEST_CASE("Order::any loses nothing") {
  std::vector<int> seen = numbers_after({.name = "collect", .order = Order::any}, 20'000);
  std::sort(seen.begin(), seen.end());
  REQUIRE(seen.size() == 20'000);
  CHECK(seen.front() == 0);
  CHECK(seen.back() == 19'999);
  CHECK(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
}
