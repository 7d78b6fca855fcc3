// Several sources in one pipeline, and joins: item i of one stream with item i of another.

#include "catch.h"
#include "pipeline/count_to.h"

#include <millrace/core/random.h>
#include <millrace/pipeline/pipeline.h>

#include <algorithm>
#include <tuple>

using namespace millrace;
using namespace millrace::test;

namespace {

using Pair = std::tuple<int, int>;

int spin(int n) {
  Random random(2, 0, static_cast<std::uint64_t>(n), Purpose::user);
  volatile unsigned sink = 0;
  for (std::uint64_t i = random.below(300); i > 0; --i) sink = sink + 1;
  return n;
}

/// Stamps its slots and emits leases of them.
auto stamp(int count) {
  return [count, i = 0](Lease<int> slot, Emit<Lease<int>>& emit) mutable {
    if (i == count) return false;
    *slot = i++;
    emit(slot);
    return true;
  };
}

}  // namespace

TEST_CASE("several sources run in one pipeline, each within its own slots") {
  const int threads = GENERATE(1, 4);
  Pipeline p{{.threads = threads}};
  int left = 0, right = 0;
  p.sink(p.source({.name = "left"}, slots(2), count_to(300)), {.name = "left sink"},
         [&](int) { ++left; });
  p.sink(p.source({.name = "right", .on = On::blocking}, slots(3), count_to(200)),
         {.name = "right sink"}, [&](int) { ++right; });
  p.run();
  CHECK(left == 300);
  CHECK(right == 200);
}

TEST_CASE("item i of one stream meets item i of the other, and order holds") {
  const int threads = GENERATE(1, 4);
  Pipeline p{{.threads = threads}};
  auto a = p.then(p.source({.name = "a"}, slots(16), count_to(3'000)),
                  {.name = "delay a", .concurrency = 4}, spin);
  auto b = p.then(p.source({.name = "b"}, slots(5), count_to(3'000)),
                  {.name = "delay b", .concurrency = 3}, [](int n) { return spin(n + 1); });
  std::vector<Pair> seen;
  p.sink(p.join({.name = "pair"}, a, b), {.name = "collect"},
         [&](const Pair& pair) { seen.push_back(pair); });
  const Report report = p.run();
  REQUIRE(seen.size() == 3'000);
  for (int i = 0; i < 3'000; ++i) {
    if (seen[static_cast<std::size_t>(i)] != Pair(i, i + 1)) FAIL("item " << i);
  }
  CHECK(report.stage("pair").items == 3'000);
  CHECK(report.stage("pair").kind == "join");
}

// flow-graph.md 1.1: a queueing join_node mispairs when one side drops an item.
TEST_CASE("a skipped item drops its partner on the other side and gives its lease back") {
  const int threads = GENERATE(1, 4);
  Pipeline p{{.threads = threads}};
  auto pool_a = p.pool<int>("a slots", 3, [] { return 0; });
  auto pool_b = p.pool<int>("b slots", 2, [] { return 0; });
  auto a =
      p.then(p.source({.name = "a"}, pool_a, stamp(600)),
             {.name = "check a", .concurrency = 2, .on_error = skip()}, [](const Lease<int>& slot) {
               if (*slot % 10 == 3) throw Error("bad");
               return slot;
             });
  auto b = p.then(
      p.source({.name = "b"}, pool_b, stamp(600)), {.name = "check b"},
      [](const Lease<int>& slot) { return *slot % 7 == 0 ? std::nullopt : std::optional(slot); });
  std::vector<int> seen, expected;
  p.sink(p.join({.name = "pair"}, a, b), {.name = "collect", .on = On::engine},
         [&](const std::tuple<Lease<int>, Lease<int>>& pair) {
           CHECK(*std::get<0>(pair) == *std::get<1>(pair));
           seen.push_back(*std::get<0>(pair));
         });
  p.run();
  for (int i = 0; i < 600; ++i) {
    if (i % 10 != 3 && i % 7 != 0) expected.push_back(i);
  }
  CHECK(seen == expected);
  CHECK(pool_a.free_slots() == 3);
  CHECK(pool_b.free_slots() == 2);
}

TEST_CASE("what is joined ends with the shorter source, and the longer one stops") {
  const int threads = GENERATE(1, 4);
  const int short_one = GENERATE(0, 1, 40);
  const bool swaps = GENERATE(false, true);
  Pipeline p{{.threads = threads}};
  auto pool = p.pool<int>("endless slots", 3, [] { return 0; });
  auto few = p.source({.name = "few"}, slots(2), count_to(short_one));
  auto endless = p.source({.name = "endless"}, pool, stamp(-1));
  int pairs = 0;
  if (swaps) {
    p.sink(p.join({.name = "pair"}, endless, few), {.name = "count"},
           [&](const std::tuple<Lease<int>, int>&) { ++pairs; });
  } else {
    p.sink(p.join({.name = "pair"}, few, endless), {.name = "count"},
           [&](const std::tuple<int, Lease<int>>&) { ++pairs; });
  }
  const Report report = p.run();
  CHECK(pairs == short_one);
  CHECK_FALSE(report.stopped);
  CHECK(pool.free_slots() == 3);
}

TEST_CASE("a longer source that feeds another stage too goes on to its end") {
  Pipeline p{{.threads = 2}};
  auto few = p.source({.name = "few"}, slots(2), count_to(5));
  auto many = p.source({.name = "many"}, slots(2), count_to(100));
  int pairs = 0, all = 0;
  p.sink(p.join({.name = "pair"}, few, many), {.name = "count pairs"},
         [&](const Pair&) { ++pairs; });
  p.sink(many, {.name = "count all"}, [&](int) { ++all; });
  p.run();
  CHECK(pairs == 5);
  CHECK(all == 100);
}

TEST_CASE("joins of joins, groups and joined branches end with the shortest of all sources") {
  Pipeline p{{.threads = 4}};
  auto pool = p.pool<int>("batch", 2, [] { return 0; });
  auto items = p.source({.name = "items"}, pool, [b = 0](Lease<int>, Emit<int>& emit) mutable {
    for (int i = 0; i < 4; ++i) emit(b);
    ++b;
    return true;
  });
  auto groups = p.then(p.gather(items), {.name = "first of group"},
                       [](const Group<int>& g) { return g.items.front(); });
  auto endless = p.source({.name = "endless"}, slots(3),
                          [i = 0]() mutable { return std::optional<int>(i++); });
  auto pairs = p.join({.name = "pair"}, groups, endless);
  auto few = p.source({.name = "few"}, slots(1), count_to(25));
  auto doubled = p.then(few, {.name = "double"}, [](int n) { return 2 * n; });
  auto both = p.join({.name = "both"}, few, doubled);
  std::vector<int> seen;
  p.sink(p.join({.name = "all"}, pairs, both), {.name = "collect"},
         [&](const std::tuple<Pair, Pair>& all) {
           const auto& [pair, twice] = all;
           CHECK(std::get<0>(pair) == std::get<1>(pair));
           CHECK(2 * std::get<0>(pair) == std::get<1>(twice));
           seen.push_back(std::get<0>(pair));
         });
  p.run();
  REQUIRE(seen.size() == 25);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(pool.free_slots() == 2);
}

TEST_CASE("a joined item holds the slots of all its sources") {
  Pipeline p{{.threads = 4}};
  std::atomic<int> under_way{0}, most{0};
  const auto counted = [&](int n) {
    return [&, n, i = 0]() mutable {
      if (i == n) return std::optional<int>();
      const int now = ++under_way;
      int seen = most.load();
      while (seen < now && !most.compare_exchange_weak(seen, now)) {
      }
      return std::optional<int>(i++);
    };
  };
  auto a = p.source({.name = "a"}, slots(2), count_to(500));
  auto b = p.source({.name = "b"}, slots(3), counted(500));
  auto pairs = p.join({.name = "pair"}, a, b);
  auto sums = p.then(pairs, {.name = "sum"},
                     [](const Pair& pair) { return std::get<0>(pair) + std::get<1>(pair); });
  p.sink(sums, {.name = "end", .on = On::blocking}, [&](int) { --under_way; });
  p.run();
  CHECK(under_way == 0);
  CHECK(most <= 3);
}

TEST_CASE("an exception on either side of a join ends the run with all leases home") {
  const int threads = GENERATE(1, 4);
  const int failing = GENERATE(0, 1, 2);
  Pipeline p{{.threads = threads}};
  auto pool_a = p.pool<int>("a slots", 3, [] { return 0; });
  auto pool_b = p.pool<int>("b slots", 2, [] { return 0; });
  const auto fails = [failing](int stage) {
    return [failing, stage](const Lease<int>& slot) {
      if (failing == stage && *slot == 50) throw Error("50 is bad");
      return slot;
    };
  };
  auto a = p.then(p.source({.name = "a"}, pool_a, stamp(-1)), {.name = "left"}, fails(0));
  auto b = p.then(p.source({.name = "b"}, pool_b, stamp(-1)), {.name = "right"}, fails(1));
  p.sink(p.join({.name = "pair"}, a, b), {.name = "end"},
         [f = fails(2)](const std::tuple<Lease<int>, Lease<int>>& pair) { f(std::get<1>(pair)); });
  const char* const names[] = {"left", "right", "end"};
  CHECK_THROWS_WITH(p.run(), concat(names[failing], ": 50 is bad"));
  CHECK(pool_a.free_slots() == 3);
  CHECK(pool_b.free_slots() == 2);
}

TEST_CASE("a run that is stopped with items that wait for their partners has all leases home") {
  std::stop_source stop;
  Pipeline p{{.threads = 2}};
  auto pool = p.pool<int>("slots", 4, [] { return 0; });
  auto many = p.source({.name = "many"}, pool, stamp(-1));
  auto slow = p.source({.name = "slow", .on = On::blocking}, slots(2), [&, i = 0]() mutable {
    if (i == 10) {
      stop.request_stop();
      return std::optional<int>();
    }
    return std::optional<int>(i++);
  });
  p.sink(p.join({.name = "pair"}, many, slow), {.name = "drop"},
         [](const std::tuple<Lease<int>, int>&) {});
  CHECK(p.run(stop.get_token()).stopped);
  CHECK(pool.free_slots() == 4);
}

TEST_CASE("partners that wait for each other's slots are an error and not a wait for ever") {
  Pipeline p{{.threads = 2}};
  auto pool = p.pool<int>("batch", 1, [] { return 0; });
  auto items = p.source({.name = "list"}, pool, [b = 0](Lease<int>, Emit<int>& emit) mutable {
    for (int i = 0; i < 4; ++i) emit(i);
    return ++b < 10;
  });
  auto groups = p.gather(items);
  p.sink(p.join({.name = "pair"}, items, groups), {.name = "drop"},
         [](const std::tuple<int, Group<int>>&) {});
  CHECK_THROWS_WITH(p.run(), Catch::Contains("pair: 3 items wait for their partners"));
  CHECK(pool.free_slots() == 1);
}

TEST_CASE("gather stands before a join") {
  Pipeline p;
  auto a = p.source({.name = "a"}, slots(1), count_to(1));
  auto b = p.source({.name = "b"}, slots(1), count_to(1));
  auto pairs = p.join({.name = "pair"}, a, b);
  CHECK_THROWS_WITH(p.gather(pairs), "stage 'gather': the stream was joined before");
  p.sink(pairs, {.name = "drop"}, [](const Pair&) {});
  CHECK(p.plan().text().find("from a and b") != std::string::npos);
  CHECK(p.plan().dot().find("s1 -> s2;") != std::string::npos);
}
