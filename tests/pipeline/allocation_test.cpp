// Allocations that fail one by one, anywhere in a run: it ends with an error or without, never with
// a crash, a hang or a lost lease. In a program of its own, since it replaces operator new.

#include "catch.h"

#include <millrace/pipeline/range.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <tuple>

namespace {

std::atomic<long> left_before_failure{-1};  // allocations; below 0: none fails

}  // namespace

// Not inlined, so that the compiler sees no free() of what new gave.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (left_before_failure.load() >= 0 && left_before_failure.fetch_sub(1) == 0) {
    throw std::bad_alloc();
  }
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
// What takes no exception for an answer is let alone; replaced since it is given back below.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return std::malloc(size == 0 ? 1 : size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

using namespace millrace;

namespace {

/// With a constructor: gcc 12 destroys the members of an aggregate after their scope when a later
/// one throws.
struct Large {
  explicit Large(int n, Lease<int> held = {}) : number(n), slot(std::move(held)), values(4) {}
  int number;
  Lease<int> slot;
  std::vector<int> values;
};

/// Two sources, groups, a join, a fan-out, slots, work elsewhere; all with items that allocate.
struct Graph {
  Pipeline p{{.threads = 2}};
  Pool<int> pool = p.pool<int>("slots", 3, [] { return 0; });
  Pool<int> device = p.pool<int>("device", 2, [] { return 0; });

  Graph() {
    auto items =
        p.source({.name = "list"}, pool, [i = 0](Lease<int> slot, Emit<Large>& emit) mutable {
          emit(Large(i, slot));
          emit(Large(i, slot));
          return ++i < 12;
        });
    auto read = p.then(items, {.name = "read", .concurrency = 2, .on_error = retry(1)},
                       [](const Large& item) { return item; });
    auto other = p.source({.name = "other"}, slots(2), [i = 0]() mutable {
      return i < 12 ? std::optional<Large>(Large(i++)) : std::nullopt;
    });
    auto pairs = p.join({.name = "pair"}, p.gather(read), other);
    p.sink(pairs, {.name = "see", .on = On::blocking},
           [](const std::tuple<Group<Large>, Large>&) {});
    auto parts = p.then(pairs, {.name = "part"}, [](const std::tuple<Group<Large>, Large>& pair) {
      return std::get<0>(pair).items.front();
    });
    auto copied = p.then(p.with(parts, {.name = "slot"}, device), {.name = "copy"},
                         [](const With<Large, int>& with) {
                           return Pending<Large>{with.item, Completion::done()};
                         });
    p.sink(copied, {.name = "end", .on = On::engine}, [](const Large&) {});
  }
};

}  // namespace

TEST_CASE("any one allocation of a run may fail") {
  Graph graph;
  graph.p.run();  // whatever is made once is there
  int failed = 0, survived = 0;
  for (long n = 0; survived < 3; ++n) {
    INFO("allocation " << n);
    bool has_thrown = false;
    left_before_failure = n;
    try {
      graph.p.run();
    } catch (const std::exception&) {
      has_thrown = true;
    }
    const bool has_failed = left_before_failure.exchange(-1) < 0;
    if (graph.pool.free_slots() != 3) FAIL("a slot is lost");
    if (graph.device.free_slots() != 2) FAIL("a slot of the device is lost");
    if (has_thrown && !has_failed) FAIL("it threw before the allocation failed");
    failed += has_thrown ? 1 : 0;
    survived += has_failed ? 0 : 1;  // the run needs no more allocations than that
    if (n > 20'000) FAIL("there is no end");
  }
  CHECK(failed > 100);
}

TEST_CASE("any one allocation of a run that is looped over may fail") {
  Graph().p.run();  // oneTBB's threads are there: its first start waits for ever after a failure
  int failed = 0, survived = 0;
  for (long n = 0; survived < 3; ++n) {
    INFO("allocation " << n);
    Pipeline p{{.threads = 2}};
    Pool<int> pool = p.pool<int>("slots", 3, [] { return 0; });
    auto items =
        p.source({.name = "list"}, pool, [i = 0](Lease<int> slot, Emit<Large>& emit) mutable {
          emit(Large(i, slot));
          emit(Large(i, slot));
          return ++i < 12;
        });
    Range<Large> range = p.range(items);
    bool has_thrown = false;
    int seen = 0;
    left_before_failure = n;
    try {
      for (const Large& item : range) {
        if (item.number != seen++ / 2) FAIL("an item is lost or comes twice");
      }
    } catch (const std::exception&) {
      has_thrown = true;
    }
    const bool has_failed = left_before_failure.exchange(-1) < 0;
    if (!has_thrown && seen != 24) FAIL("the loop ended early without a word");
    (void)range.report();
    if (has_thrown && !has_failed) FAIL("it threw before the allocation failed");
    if (!has_thrown && pool.free_slots() != 3) FAIL("a slot is lost");
    failed += has_thrown ? 1 : 0;
    survived += has_failed ? 0 : 1;
    if (n > 20'000) FAIL("there is no end");
  }
  CHECK(failed > 20);
}
