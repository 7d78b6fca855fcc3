#include "catch.h"

#include <millrace/pipeline/pipeline.h>

#include <memory>
#include <utility>

using namespace millrace;

namespace {

Generator<int> count_to(int n) {
  for (int i = 0; i < n; ++i) co_yield i;
}

template <class Source>
std::vector<int> collect(Source source) {
  Pipeline p{{.threads = 2}};
  auto numbers = p.source({.name = "count"}, slots(3), std::move(source));
  std::vector<int> seen;
  p.sink(numbers, {.name = "collect"}, [&](int n) { seen.push_back(n); });
  p.run();
  return seen;
}

const std::vector<int> kFive = {0, 1, 2, 3, 4};

}  // namespace

TEST_CASE("a coroutine is a source") {
  CHECK(collect([](Position) { return count_to(5); }) == kFive);
}

TEST_CASE("a coroutine with captures is a source") {
  CHECK(collect([n = 5](Position) -> Generator<int> {
          for (int i = 0; i < n; ++i) co_yield i;
        }) == kFive);
}

TEST_CASE("a callable is a source") {
  CHECK(collect([i = 0]() mutable { return i < 5 ? std::optional<int>(i++) : std::nullopt; }) ==
        kFive);
}

TEST_CASE("a factory of a callable is a source") {
  CHECK(collect([](Position at) {
          CHECK(at.items == 0);
          return [i = 0]() mutable { return i < 5 ? std::optional<int>(i++) : std::nullopt; };
        }) == kFive);
}

TEST_CASE("what a coroutine throws ends the run") {
  const auto failing = [](Position) -> Generator<int> {
    co_yield 1;
    throw Error("line 2: not a number");
  };
  CHECK_THROWS_WITH(collect(failing), "count: line 2: not a number");
}

TEST_CASE("a coroutine that is left early is destroyed") {
  auto alive = std::make_shared<int>(0);
  {
    auto endless = [](std::shared_ptr<int> held) -> Generator<int> {
      for (;;) co_yield *held;
    }(alive);
    CHECK(endless.next() == 0);
    CHECK(alive.use_count() == 2);
  }
  CHECK(alive.use_count() == 1);
}

TEST_CASE("a source without data ends the run at once") {
  CHECK(collect([] { return std::optional<int>(); }).empty());
}

TEST_CASE("a source may emit nothing for a slot and go on") {
  Pipeline p;
  auto pool = p.pool<int>("slot", 2, [] { return 0; });
  auto numbers = p.source({.name = "sparse"}, pool, [i = 0](Lease<int>, Emit<int>& emit) mutable {
    if (i % 10 == 0) emit(i);
    return ++i < 100;
  });
  std::vector<std::uint64_t> groups;
  p.sink(p.gather(numbers), {.name = "collect"},
         [&](const Group<int>& g) { groups.push_back(g.number); });
  p.run();
  CHECK(groups == std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
}

TEST_CASE("a generator is a source as it is") {
  CHECK(collect(count_to(5)) == kFive);
}

TEST_CASE("what cannot be copied is a source, as a callable, as a factory and as what that makes") {
  CHECK(collect([i = std::make_unique<int>(0)]() {
          return *i < 5 ? std::optional<int>((*i)++) : std::nullopt;
        }) == kFive);
  CHECK(collect([n = std::make_unique<int>(5)](Position) { return count_to(*n); }) == kFive);
  CHECK(collect([](Position) {
          return [i = std::make_unique<int>(0)]() {
            return *i < 5 ? std::optional<int>((*i)++) : std::nullopt;
          };
        }) == kFive);
}

TEST_CASE("a source over a pool that cannot be copied runs once") {
  Pipeline p{{.threads = 2}};
  auto pool = p.pool<int>("slot", 2, [] { return 0; });
  auto numbers =
      p.source("fill", pool, [from = count_to(5)](Lease<int> slot, Emit<Lease<int>>& emit) mutable {
        const std::optional<int> next = from.next();
        if (!next) return false;
        *slot = *next;
        emit(slot);
        return true;
      });
  std::vector<int> seen;
  p.sink(numbers, "collect", [&](const Lease<int>& slot) { seen.push_back(*slot); });
  p.run();
  CHECK(seen == kFive);
  CHECK_THROWS_WITH(
      p.run(),
      "stage 'fill': what it was given cannot be copied, and has run; for another run "
      "give one that can be copied");
  CHECK_THROWS_AS(p.check(), UsageError);
  CHECK(seen == kFive);
  CHECK(pool.free_slots() == 2);
}

TEST_CASE("a generator that has run asks for a factory, and a factory runs again") {
  std::vector<int> seen;
  const auto collected = [&seen](auto source) {
    Pipeline p{{.threads = 2}};
    p.sink(p.source("count", slots(2), std::move(source)), "collect",
           [&seen](int n) { seen.push_back(n); });
    return p;
  };
  Pipeline once = collected(count_to(5));
  once.run();
  CHECK_THROWS_WITH(once.run(),
                    "stage 'count': what it was given cannot be copied, and has run; for another "
                    "run give a factory, make(Position), that makes it");
  CHECK(seen == kFive);
  seen.clear();
  Pipeline again = collected([n = std::make_unique<int>(5)](Position) { return count_to(*n); });
  again.run();
  CHECK(seen == kFive);
  seen.clear();
  again.run();
  CHECK(seen == kFive);
}

TEST_CASE("what was refused before it ran may run yet") {
  Pipeline p{{.budget = 1_MiB}};
  auto numbers = p.source("count", slots(2), count_to(5));
  CHECK_THROWS_WITH(p.run(),
                    "pipeline 'pipeline': nothing reads the output of 'count'; end it with "
                    "sink() or range()");
  int sum = 0;
  p.sink(numbers, "sum", [&](int n) { sum += n; });
  p.run();
  CHECK(sum == 10);
}

TEST_CASE("a node that cannot be copied works in a stage of concurrency 1, in one run") {
  Pipeline p{{.threads = 2}};
  auto seen = std::make_unique<std::vector<int>>();
  std::vector<int>& view = *seen;
  auto numbers = p.source("count", slots(2), [](Position) { return count_to(5); });
  auto more = p.then(numbers, "more", [one = std::make_unique<int>(1)](int n) { return n + *one; });
  p.sink(more, {.name = "collect", .on = On::engine},
         [seen = std::move(seen)](int n) { seen->push_back(n); });
  const auto box = [&](int concurrency) {
    p.then(numbers, {.name = "box", .concurrency = concurrency},
           [box = std::make_unique<int>(1)](int n) { return n + *box; });
  };
  const char* const told =
      "stage 'box': its node cannot be copied, and concurrent calls have a copy each; its "
      "concurrency is 1";
  CHECK_THROWS_WITH(box(2), told);
  CHECK_THROWS_WITH(box(kAllThreads), told);
  std::vector<int> at_the_end;
  p.sink(more, "keep", [&](int) { at_the_end = view; });
  p.run();
  CHECK(at_the_end.size() >= 1);
  CHECK_THROWS_WITH(
      p.run(),
      "stage 'more': what it was given cannot be copied, and has run; for another run "
      "give one that can be copied");
}

TEST_CASE("a source of slots() is charged what it holds, too") {
  struct Texts {
    [[nodiscard]] Bytes payload(int slots) const {
      return static_cast<std::uint64_t>(slots) * 1_KiB;
    }
    std::optional<int> operator()() { return std::nullopt; }
  };
  Pipeline p;
  p.sink(p.source("texts", slots(3), Texts{}), "drop", [](int) {});
  CHECK(p.plan().charges.back().name == "texts payload");
  CHECK(p.plan().charges.back().total() == 3_KiB);
}
