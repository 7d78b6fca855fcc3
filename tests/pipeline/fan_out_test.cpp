// A stream with several consumers: each sees every item, in its own order of work, and a slot is
// free again when all are done with it.

#include "catch.h"
#include "pipeline/count_to.h"

#include <millrace/pipeline/pipeline.h>

#include <algorithm>
#include <atomic>
#include <numeric>

using namespace millrace;
using namespace millrace::test;

namespace {

/// A source of leases of `pool`, stamped with their numbers.
auto stamp(int count) {
  return [count, i = 0](Lease<int> slot, Emit<Lease<int>>& emit) mutable {
    *slot = i++;
    emit(slot);
    return i < count;
  };
}

struct AddOne {
  static constexpr bool writes_in_place = true;
  Lease<int> operator()(const Lease<int>& slot) const {
    ++*slot;
    return slot;
  }
};

}  // namespace

TEST_CASE("each consumer of a stream sees all items in the order of the source") {
  const int threads = GENERATE(1, 4);
  const On on = GENERATE(On::compute, On::blocking, On::engine);
  Pipeline p{{.threads = threads}};
  auto numbers = p.source({.name = "count"}, slots(8), count_to(2'000));
  auto mixed = p.then(numbers, {.name = "mix", .concurrency = 4}, [](int n) { return n; });
  std::vector<int> first, second, third;
  p.sink(mixed, {.name = "first", .on = on}, [&](int n) { first.push_back(n); });
  p.sink(mixed, {.name = "second"}, [&](int n) { second.push_back(n); });
  auto more = p.then(mixed, {.name = "third", .concurrency = 2}, [](int n) { return n; });
  p.sink(more, {.name = "fourth", .on = on}, [&](int n) { third.push_back(n); });
  p.run();
  std::vector<int> expected(2'000);
  std::iota(expected.begin(), expected.end(), 0);
  CHECK(first == expected);
  CHECK(second == expected);
  CHECK(third == expected);
}

TEST_CASE("a slot goes home only when every consumer is done with it") {
  Pipeline p{{.threads = 4}};
  auto pool = p.pool<int>("slots", 2, [] { return 0; });
  auto leases = p.source({.name = "stamp"}, pool, stamp(500));
  // The slow one still finds in the slot what was stamped, however far the quick one is.
  std::atomic<int> wrong{0};
  int next_slow = 0, next_quick = 0;
  p.sink(leases, {.name = "slow", .on = On::blocking}, [&](const Lease<int>& slot) {
    for (int i = 0; i < 200; ++i) wrong += *slot == next_slow ? 0 : 1;
    ++next_slow;
  });
  p.sink(leases, {.name = "quick"},
         [&](const Lease<int>& slot) { wrong += *slot == next_quick++ ? 0 : 1; });
  p.run();
  CHECK(wrong == 0);
  CHECK(next_slow == 500);
  CHECK(next_quick == 500);
  CHECK(pool.free_slots() == 2);
}

TEST_CASE("an item that one consumer skips reaches the others") {
  Pipeline p{{.threads = 2}};
  auto numbers = p.source({.name = "count"}, slots(4), count_to(100));
  auto odd = p.then(numbers, {.name = "odd", .on_error = skip()}, [](int n) {
    if (n % 2 == 0) throw Error("even");
    return n;
  });
  int odds = 0, all = 0;
  p.sink(odd, {.name = "count odd"}, [&](int) { ++odds; });
  p.sink(numbers, {.name = "count all"}, [&](int) { ++all; });
  p.run();
  CHECK(odds == 50);
  CHECK(all == 100);
}

TEST_CASE("two consumers can each gather the groups of the source") {
  Pipeline p{{.threads = 4}};
  auto pool = p.pool<int>("batch", 3, [] { return 0; });
  auto items = p.source({.name = "list"}, pool, [b = 0](Lease<int>, Emit<int>& emit) mutable {
    for (int i = 0; i < 5; ++i) emit(b);
    return ++b < 50;
  });
  auto checked = p.then(items, {.name = "check", .concurrency = 3}, [](int n) { return n; });
  std::vector<std::uint64_t> left, right;
  p.sink(p.gather(items, "left"), {.name = "see left"}, [&](const Group<int>& g) {
    if (g.items.size() == 5) left.push_back(g.number);
  });
  p.sink(p.gather(checked, "right"), {.name = "see right"}, [&](const Group<int>& g) {
    if (g.items.size() == 5) right.push_back(g.number);
  });
  p.run();
  REQUIRE(left.size() == 50);
  CHECK(left == right);
  CHECK(std::is_sorted(left.begin(), left.end()));
}

TEST_CASE("engine stages that read one engine stage both work on an item before the next begins") {
  Pipeline p{{.threads = 2}};
  auto numbers = p.source({.name = "count"}, slots(8), count_to(300));
  std::string seen;  // one thread writes it
  auto step = p.then(numbers, {.name = "step", .on = On::engine}, [&](int n) {
    seen += 'a';
    return n;
  });
  p.sink(step, {.name = "measure", .on = On::engine}, [&](int) { seen += 'b'; });
  p.sink(step, {.name = "decide", .on = On::engine}, [&](int) { seen += 'c'; });
  p.run();
  std::string expected;
  for (int i = 0; i < 300; ++i) expected += "abc";
  CHECK(seen == expected);
}

TEST_CASE("a failure in one branch ends the run with all leases home") {
  const int threads = GENERATE(1, 4);
  Pipeline p{{.threads = threads}};
  auto pool = p.pool<int>("slots", 3, [] { return 0; });
  auto leases = p.source({.name = "stamp"}, pool, stamp(10'000));
  p.sink(leases, {.name = "good"}, [](const Lease<int>&) {});
  p.sink(leases, {.name = "bad", .on = On::blocking}, [](const Lease<int>& slot) {
    if (*slot == 77) throw Error("77 is bad");
  });
  CHECK_THROWS_WITH(p.run(), "bad: 77 is bad");
  CHECK(pool.free_slots() == 3);
}

TEST_CASE("a stage that writes what another one reads is refused where it is added") {
  Pipeline p;
  auto pool = p.pool<int>("slots", 2, [] { return 0; });
  auto leases = p.source({.name = "stamp"}, pool, stamp(10));
  p.sink(leases, {.name = "read"}, [](const Lease<int>&) {});
  const char* const expected =
      "stage 'add': it writes into its items, which must then have a sole owner, but the output of "
      "'stamp' also goes to 'read'";
  CHECK_THROWS_WITH(p.then(leases, {.name = "add"}, AddOne{}), expected);
  CHECK_THROWS_WITH(p.sink(leases, {.name = "add"}, [](Lease<int>& slot) { *slot = 0; }), expected);
  CHECK_THROWS_AS(p.then(leases, {.name = "add", .on_error = retry(2)},
                         [](const Lease<int>& slot) { return *slot; }),
                  UsageError);
  // What was refused is not there: the pipeline runs without it.
  CHECK_NOTHROW(p.run());
}

TEST_CASE("a second consumer is refused where the first writes in place") {
  Pipeline p;
  auto pool = p.pool<int>("slots", 2, [] { return 0; });
  auto leases = p.source({.name = "stamp"}, pool, stamp(10));
  int sum = 0;
  p.sink(p.then(leases, {.name = "add"}, AddOne{}), {.name = "sum"},
         [&](const Lease<int>& slot) { sum += *slot; });
  CHECK_THROWS_WITH(p.sink(leases, {.name = "read"}, [](const Lease<int>&) {}),
                    Catch::Contains("stage 'add': it writes into its items") &&
                        Catch::Contains("also goes to 'read'"));
  p.run();
  CHECK(sum == 55);
}

TEST_CASE("behind a fan-out only what cannot hold the shared slot may be written") {
  Pipeline p;
  auto pool = p.pool<int>("slots", 2, [] { return 0; });
  auto leases = p.source({.name = "stamp"}, pool, stamp(10));
  int read = 0, sum = 0;
  p.sink(leases, {.name = "read"}, [&](const Lease<int>& slot) { read += *slot; });
  auto passed = p.then(leases, {.name = "pass"}, [](const Lease<int>& slot) { return slot; });
  CHECK_THROWS_WITH(p.then(passed, {.name = "add"}, AddOne{}),
                    Catch::Contains("the output of 'stamp' also goes to 'read'"));
  auto copied = p.then(passed, {.name = "copy"}, [](const Lease<int>& slot) { return *slot; });
  auto doubled = p.then(copied, {.name = "double"}, [](int& n) { return n *= 2; });
  p.sink(doubled, {.name = "sum"}, [&](int n) { sum += n; });
  p.run();
  CHECK(read == 45);
  CHECK(sum == 90);
}

TEST_CASE("a node that takes its item by reference writes in place") {
  struct Large {
    std::vector<int> values = std::vector<int>(100);
    std::array<int, 8> more{};
  };
  Pipeline p;
  auto all = p.source({.name = "make"}, slots(2), [i = 0]() mutable {
    return i++ < 20 ? std::optional<Large>(Large{}) : std::nullopt;
  });
  auto filled = p.then(all, {.name = "fill"}, [](Large& item, Context& context) {
    item.values.back() = static_cast<int>(context.sequence());
    return std::move(item);
  });
  int sum = 0;
  p.sink(filled, {.name = "sum"}, [&](const Large& item) { sum += item.values.back(); });
  p.run();
  CHECK(sum == 190);
}
