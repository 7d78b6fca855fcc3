#include "catch.h"

#include <millrace/pipeline/range.h>

using namespace millrace;

namespace {

Range<int> numbers(int count, int threads, int fails_at = -1) {
  Pipeline p{{.threads = threads}};
  auto all = p.source({.name = "count"}, slots(2), [count, i = 0]() mutable {
    return i < count ? std::optional<int>(i++) : std::nullopt;
  });
  auto checked = p.then(all, {.name = "check"}, [fails_at](int n) {
    if (n == fails_at) throw Error("bad number");
    return n;
  });
  return p.range(checked);
}

}  // namespace

TEST_CASE("a stream can be looped over, with one thread too") {
  const int threads = GENERATE(1, 2);
  Range<int> range = numbers(1000, threads);
  int expected = 0;
  for (const int n : range) REQUIRE(n == expected++);
  CHECK(expected == 1000);
  CHECK(range.report().stage("count").items >= 1000);
}

TEST_CASE("leaving the loop early stops the run") {
  for (const int n : numbers(1'000'000'000, 2)) {
    if (n == 10) break;
  }
  SUCCEED("the destructor came back");
}

TEST_CASE("an error of the run is thrown by the step of the loop that would need its item") {
  int last = -1;
  const auto loop = [&] {
    for (const int n : numbers(100, 2, 50)) last = n;
  };
  CHECK_THROWS_WITH(loop(), "check: bad number");
  CHECK(last < 50);
}

TEST_CASE("an exception in the loop's body passes through") {
  const auto loop = [] {
    for (const int n : numbers(100, 2)) {
      if (n == 3) throw std::runtime_error("enough");
    }
  };
  CHECK_THROWS_WITH(loop(), "enough");
}

TEST_CASE("an item keeps its slot until the next step of the iterator") {
  Pipeline p{{.threads = 2}};
  auto pool = p.pool<int>("slot", 1, [] { return 0; });
  auto leases =
      p.source({.name = "list"}, pool, [i = 0](Lease<int> slot, Emit<Lease<int>>& emit) mutable {
        *slot = i++;
        emit(slot);
        return i < 100;
      });
  int expected = 0;
  for (const Lease<int>& lease : p.range(leases)) {
    CHECK(*lease == expected++);
    CHECK(pool.free_slots() == 0);
  }
  CHECK(expected == 100);
  CHECK(pool.free_slots() == 1);
}

TEST_CASE("the report of a range that was left early ends the run first") {
  Range<int> range = numbers(1'000'000'000, 2);
  for (const int n : range) {
    if (n == 5) break;
  }
  CHECK(range.report().stopped);
}
