#include "catch.h"

#include <millrace/core/random.h>
#include <millrace/pipeline/pipeline.h>

#include <algorithm>

using namespace millrace;

namespace {

/// Work of a random length, so that concurrent items overtake each other.
int spin(int n) {
  Random random(1, 0, static_cast<std::uint64_t>(n), Purpose::user);
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

TEST_CASE("an engine stage behind another works on each item before the next one begins") {
  Pipeline p{{.threads = 4}};
  auto numbers = p.source({.name = "count"}, slots(8), [i = 0]() mutable {
    return i < 5'000 ? std::optional<int>(i++) : std::nullopt;
  });
  auto delayed = p.then(numbers, {.name = "delay", .concurrency = 4}, spin);
  std::vector<std::pair<char, int>> seen;  // one thread writes it
  const auto note = [&seen](char stage) {
    return [&seen, stage](int n) {
      seen.emplace_back(stage, n);
      return n;
    };
  };
  auto first = p.then(delayed, {.name = "first", .on = On::engine}, note('a'));
  auto second = p.then(first, {.name = "second", .on = On::engine}, note('b'));
  p.sink(second, {.name = "third", .on = On::engine}, note('c'));
  p.run();
  REQUIRE(seen.size() == 15'000);
  for (int n = 0; n < 5'000; ++n) {
    for (int stage = 0; stage < 3; ++stage) {
      const auto expected = std::pair(static_cast<char>('a' + stage), n);
      if (seen[static_cast<std::size_t>(3 * n + stage)] != expected) FAIL("item " << n);
    }
  }
}

TEST_CASE("what begins on the engine is finished there when the run is stopped in between") {
  std::stop_source stop;
  Pipeline p{{.threads = 2}};
  auto numbers =
      p.source({.name = "count"}, slots(4), [i = 0]() mutable { return std::optional(i++); });
  int begun = 0, finished = 0;
  auto first = p.then(numbers, {.name = "first", .on = On::engine}, [&](int n) {
    ++begun;
    if (n == 20) stop.request_stop();
    return n;
  });
  p.sink(first, {.name = "second", .on = On::engine}, [&](int) { ++finished; });
  CHECK(p.run(stop.get_token()).stopped);
  CHECK(begun == 21);
  CHECK(finished == 21);
}
