// Faults in every part of a run: it ends soon, with the message of the fault and all leases home.

#include "catch.h"

#include <millrace/pipeline/pipeline.h>

#include <atomic>
#include <chrono>
#include <new>
#include <tuple>

using namespace millrace;

TEST_CASE("a failure ends the run soon, wherever it comes from") {
  using Clock = std::chrono::steady_clock;
  const int threads = GENERATE(1, 4);
  const int failing = GENERATE(0, 1, 2, 3, 4, 5);
  std::atomic<Clock::rep> failed_at{0};
  const auto at = [&, failing](int stage, int n) {
    if (stage != failing || n < 200) return;
    Clock::rep never = 0;  // the first one counts
    failed_at.compare_exchange_strong(never, Clock::now().time_since_epoch().count());
    throw Error(concat("stage ", stage, " is broken"));
  };
  Pipeline p{{.threads = threads}};
  auto pool = p.pool<int>("slots", 8, [] { return 0; });
  auto device = p.pool<int>("device", 2, [] { return 0; });
  auto list = p.source({.name = "0"}, pool, [&, i = 0](Lease<int> slot, Emit<int>& emit) mutable {
    *slot = i;
    at(0, i);
    emit(i++);
    emit(i++);
    return true;
  });
  auto read = p.then(list, {.name = "1", .concurrency = 3}, [&](int n) {
    at(1, n);
    return n;
  });
  auto groups = p.gather(read);
  auto other =
      p.source({.name = "other"}, slots(3), [i = 0]() mutable { return std::optional<int>(i++); });
  auto paired = p.then(p.join({.name = "pair"}, groups, other), {.name = "2", .on = On::blocking},
                       [&](const std::tuple<Group<int>, int>& both) {
                         at(2, std::get<0>(both).items.front());
                         return std::get<0>(both).items.front();
                       });
  auto copied = p.then(p.with(paired, {.name = "slot"}, device), {.name = "3"},
                       [&](const With<int, int>& with) {
                         Promise promise;
                         Completion ended = promise.completion();
                         Outcome outcome;
                         try {
                           at(3, with.item);
                         } catch (...) {
                           outcome.error = std::current_exception();
                         }
                         promise.end(outcome);
                         return Pending<int>{with.item, ended};
                       });
  p.sink(copied, {.name = "4", .on = On::engine}, [&](int n) { at(4, n); });
  p.sink(copied, {.name = "5"}, [&](int n) { at(5, n); });
  CHECK_THROWS_WITH(p.run(), concat(failing, ": stage ", failing, " is broken"));
  const Clock::duration took = Clock::now() - Clock::time_point(Clock::duration(failed_at.load()));
  CHECK(took < std::chrono::seconds(30));  // milliseconds, but on a loaded machine
  CHECK(pool.free_slots() == 8);
  CHECK(device.free_slots() == 2);
}

TEST_CASE("a body that finds no memory fails like any other") {
  Pipeline p;
  auto pool = p.pool<int>("slots", 2, [] { return 0; });
  auto numbers = p.source({.name = "list"}, pool, [i = 0](Lease<int>, Emit<int>& emit) mutable {
    emit(i++);
    return true;
  });
  p.sink(numbers, {.name = "grow"}, [](int n) {
    if (n == 5) throw std::bad_alloc();
  });
  CHECK_THROWS_WITH(p.run(), "grow: out of memory");
  CHECK(pool.free_slots() == 2);
}

TEST_CASE("a pool whose slots cannot be made is named, and may be made later") {
  bool is_short = true;
  Pipeline p;
  auto pool = p.pool<std::vector<char>>("batches", 3, sized(1_KiB, [&, made = 0]() mutable {
                                          if (is_short && ++made == 2) throw std::bad_alloc();
                                          return std::vector<char>(1024);
                                        }));
  auto numbers = p.source({.name = "list"}, pool, [](Lease<std::vector<char>>, Emit<int>& emit) {
    emit(1);
    return false;
  });
  p.sink(numbers, {.name = "drop"}, [](int) {});
  CHECK_THROWS_WITH(p.run(), Catch::Contains("pool 'batches': out of memory for 3 slots of 1 KiB"));
  CHECK(pool.free_slots() == 0);
  is_short = false;
  p.run();
  CHECK(pool.free_slots() == 3);
}
