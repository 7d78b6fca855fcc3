#include "catch.h"

#include <millrace/pipeline/pipeline.h>

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
