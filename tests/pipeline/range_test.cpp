#include "catch.h"

#include <millrace/pipeline/range.h>

#include <memory>

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

TEST_CASE("items that wait for the loop hold their slots, and none is lost or comes twice") {
  const int slots_of_pool = GENERATE(1, 2, 7);
  const int threads = GENERATE(1, 2);
  Pipeline p{{.threads = threads}};
  auto pool = p.pool<int>("slot", slots_of_pool, [] { return 0; });
  auto leases = p.source("list", pool, [i = 0](Lease<int> slot, Emit<Lease<int>>& emit) mutable {
    *slot = i++;
    emit(slot);
    return i < 200;
  });
  int expected = 0;
  for (const Lease<int>& lease : p.range(leases)) {
    REQUIRE(*lease == expected++);
    REQUIRE_FALSE(lease.is_sole_owner());  // the pipeline holds it too
  }
  CHECK(expected == 200);
  CHECK(pool.free_slots() == slots_of_pool);
}

TEST_CASE("many items of one slot reach the loop, whose slot is free when the last one is done") {
  Pipeline p{{.threads = 2}};
  auto pool = p.pool<int>("slot", 1, [] { return 0; });
  auto numbers = p.source("list", pool, [i = 0](Lease<int>, Emit<int>& emit) mutable {
    for (int k = 0; k < 100; ++k) emit(100 * i + k);
    return ++i < 5;
  });
  int expected = 0;
  for (const int n : p.range(numbers)) {
    REQUIRE(n == expected++);
    REQUIRE(pool.free_slots() == 0);
  }
  CHECK(expected == 500);
}

TEST_CASE("a range sees the order of the source behind stages that lose it") {
  Pipeline p{{.threads = 2}};
  auto numbers = p.source("count", slots(8), [i = 0]() mutable {
    return i < 500 ? std::optional<int>(i++) : std::nullopt;
  });
  auto mixed = p.then(numbers, {.name = "mix", .concurrency = 4, .on = On::blocking},
                      [](int n) { return n; });
  int expected = 0;
  for (const int n : p.range(mixed)) REQUIRE(n == expected++);
  CHECK(expected == 500);
}

TEST_CASE("the range is a stage of the report, busy while the loop has an item") {
  Range<int> range = numbers(100, 2);
  for (const int n : range) CHECK(n >= 0);
  const StageReport& stage = range.report().stage("range");
  CHECK(stage.items == 100);
  CHECK(stage.kind == "sink");
  CHECK(stage.busy_s > 0);
  CHECK(stage.peak_queue >= 1);
  CHECK(stage.peak_queue <= 2);  // as many as there are slots
}

TEST_CASE("a pipeline with a range runs in the loop over it, once") {
  Pipeline p;
  Range<int> range = p.range(p.source("count", slots(2), [i = 0]() mutable {
    return i < 3 ? std::optional<int>(i++) : std::nullopt;
  }));
  CHECK_NOTHROW(p.check());
  CHECK_THROWS_WITH(p.run(),
                    "pipeline 'pipeline': it has a range, and runs while that is looped over");
  int sum = 0;
  for (const int n : range) sum += n;
  CHECK(sum == 3);
  CHECK_THROWS_AS(p.run(), UsageError);
  CHECK_THROWS_WITH(range.begin(), Catch::Contains("a range can be iterated once"));
  CHECK(range.report().stage("range").items == 3);
  CHECK_THROWS_WITH(range.begin(), Catch::Contains("a range can be iterated once"));
}

TEST_CASE("two ranges of two pipelines are looped over in turns") {
  Range<int> first = numbers(50, 2), second = numbers(50, 1);
  auto a = first.begin();
  auto b = second.begin();
  int pairs = 0;
  for (; a != first.end() && b != second.end(); ++a, ++b) pairs += *a == *b ? 1 : 0;
  CHECK(pairs == 50);
}

TEST_CASE("what waits for a loop that is left is dropped, and its slots come home") {
  auto alive = std::make_shared<int>(0);
  {
    Pipeline p{{.threads = 2}};
    auto stream = p.source("list", slots(5), [alive]() { return std::optional(alive); });
    for (const std::shared_ptr<int>& item : p.range(stream)) {
      CHECK(item == alive);
      break;
    }
  }
  CHECK(alive.use_count() == 1);
}
