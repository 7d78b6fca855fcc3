// The traps of oneTBB flow graphs that a pipeline could fall into, one case each, where no other
// file has it. The table in docs/decisions.md says where the others are.

#include "catch.h"
#include "pipeline/count_to.h"

#include <millrace/pipeline/range.h>

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <thread>
#include <utility>

using namespace millrace;
using namespace millrace::test;

namespace {

/// Counts, and lets somebody wait for a count.
class Gate {
 public:
  void add() {
    const std::scoped_lock lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  void wait_for(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return count_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

}  // namespace

// The body of an input_node runs under a spin lock: who waits for the node spins while it reads.
TEST_CASE("a source that blocks holds up nobody, with one thread too") {
  const int threads = GENERATE(1, 4);
  Gate came_out;
  Pipeline p{{.threads = threads}};
  auto numbers = p.source({.name = "wait", .on = On::blocking}, slots(4), [&, i = 0]() mutable {
    came_out.wait_for(i);  // item i is there only when all before it are through
    return i < 50 ? std::optional<int>(i++) : std::nullopt;
  });
  p.sink(p.then(numbers, {.name = "pass", .concurrency = 2}, [](int n) { return n; }),
         {.name = "end"}, [&](int) { came_out.add(); });
  CHECK(p.run().stage("end").items == 50);
}

// No release of oneTBB takes messages that cannot be copied.
TEST_CASE("what cannot be copied travels in a slot") {
  Pipeline p{{.threads = 2}};
  auto pool = p.pool<std::unique_ptr<int>>(
      "boxes", 2, sized(Bytes{sizeof(int)}, [] { return std::make_unique<int>(0); }));
  using Box = Lease<std::unique_ptr<int>>;
  auto boxes = p.source({.name = "fill"}, pool, [i = 0](Box box, Emit<Box>& emit) mutable {
    **box = i++;
    emit(box);
    return i < 100;
  });
  int sum = 0;
  p.sink(boxes, {.name = "sum"}, [&](const Box& box) { sum += **box; });
  p.run();
  CHECK(sum == 4950);
}

// An exception poisons a flow graph: queues and counts keep their state until reset().
TEST_CASE("a pipeline whose run failed runs again from the start") {
  const int threads = GENERATE(1, 4);
  bool fails = true;
  std::vector<int> seen;
  Pipeline p{{.threads = threads}};
  auto pool = p.pool<int>("slots", 3, [] { return 0; });
  auto leases =
      p.source({.name = "list"}, pool, [i = 0](Lease<int> slot, Emit<Lease<int>>& emit) mutable {
        *slot = i++;
        emit(slot);
        return i < 100;
      });
  auto mixed = p.then(leases, {.name = "mix", .concurrency = 3},
                      [](const Lease<int>& slot) { return slot; });
  p.sink(mixed, {.name = "collect"}, [&](const Lease<int>& slot) {
    if (fails && *slot == 50) throw Error("bad");
    seen.push_back(*slot);
  });
  for (int run = 0; run < 3; ++run) CHECK_THROWS_WITH(p.run(), "collect: bad");
  CHECK(pool.free_slots() == 3);
  fails = false;
  seen.clear();
  p.run();
  std::vector<int> expected(100);
  std::iota(expected.begin(), expected.end(), 0);
  CHECK(seen == expected);
}

// A batcher that counts to a fixed size waits for ever where the last batch is short.
TEST_CASE("a short last group arrives") {
  Pipeline p{{.threads = 2}};
  auto pool = p.pool<int>("batch", 2, [] { return 0; });
  auto items = p.source({.name = "list"}, pool, [n = 0](Lease<int>, Emit<int>& emit) mutable {
    for (int i = 0; i < 8 && n < 30; ++i) emit(n++);
    return n < 30;
  });
  std::vector<std::size_t> sizes;
  p.sink(p.gather(items), {.name = "collect"},
         [&](const Group<int>& group) { sizes.push_back(group.items.size()); });
  p.run();
  CHECK(sizes == std::vector<std::size_t>{8, 8, 8, 6});
}

// A lease that is dropped by what was cancelled calls the source again, which drops it again.
TEST_CASE("slots that come home after a stop start nothing new") {
  const int threads = GENERATE(1, 4);
  std::stop_source stop;
  std::atomic<int> calls{0}, calls_at_stop{0};
  Pipeline p{{.threads = threads}};
  auto numbers = p.source({.name = "list"}, slots(8), [&, i = 0]() mutable {
    ++calls;
    return std::optional<int>(i++);
  });
  p.sink(numbers, {.name = "stop", .on = On::engine}, [&](int n) {
    if (n != 20) return;
    stop.request_stop();
    calls_at_stop = calls.load();
  });
  CHECK(p.run(stop.get_token()).stopped);
  CHECK(calls <= calls_at_stop + 1);  // one may have begun
}

// Blocking bodies must not sit on oneTBB's workers: with one of them nothing else would run.
TEST_CASE("a blocking stage has its threads beside the workers, as many as its concurrency") {
  Pipeline p{{.threads = 1}};
  std::barrier meet(4);
  auto numbers = p.source({.name = "count"}, slots(8), count_to(40));
  auto waited = p.then(numbers, {.name = "meet", .concurrency = 4, .on = On::blocking}, [&](int n) {
    meet.arrive_and_wait();  // goes on only with three others
    return n;
  });
  std::vector<int> seen;
  p.sink(waited, {.name = "collect"}, [&](int n) { seen.push_back(n); });
  p.run();
  CHECK(seen.size() == 40);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
}

// oneTBB has a worker less than cores. An engine that shares its work out in an arena of its own
// would get none while the pipeline's threads are busy, and would compute alone.
TEST_CASE("what computes on the engine's thread has workers beside those of the pipeline") {
  Pipeline p{{.threads = 2}};
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  std::atomic<int> begun{0}, busy{0}, parts{0};
  const auto wait = [&](const std::atomic<int>& count, int wanted) {
    while (count < wanted && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  };
  auto numbers = p.source({.name = "count", .on = On::blocking}, slots(3),
                          [&, next = count_to(3), first = true]() mutable {
                            if (!std::exchange(first, false)) wait(begun, 1);
                            return next();
                          });
  auto decoded = p.then(numbers, {.name = "decode", .concurrency = 2}, [&](int n) {
    if (n == 0) return n;
    ++busy;  // both of the pipeline's threads, until the first item has been computed
    wait(parts, 2);
    return n;
  });
  oneapi::tbb::task_arena arena(2);
  p.sink(decoded, {.name = "compute", .on = On::engine}, [&](int n) {
    if (n != 0) return;
    ++begun;
    wait(busy, 2);
    arena.execute([&] {
      oneapi::tbb::parallel_for(
          0, 2,
          [&](int) {
            ++parts;
            wait(parts, 2);  // goes on only beside the other
          },
          oneapi::tbb::simple_partitioner());
    });
  });
  p.run();
  CHECK(busy == 2);
  CHECK(std::chrono::steady_clock::now() < deadline);
}

// The arena alone does not make more workers, and the lowest of several global limits wins.
TEST_CASE("a program that allows one thread gets a run with one thread, and it ends") {
  const oneapi::tbb::global_control one(oneapi::tbb::global_control::max_allowed_parallelism, 1);
  Pipeline p{{.threads = 4}};
  auto numbers = p.source({.name = "count"}, slots(4), count_to(500));
  auto mixed = p.then(numbers, {.name = "mix", .concurrency = 4}, [](int n) { return n; });
  int items = 0;
  p.sink(mixed, {.name = "end"}, [&](int) { ++items; });
  p.run();
  CHECK(items == 500);
}

TEST_CASE("a pipeline runs inside a body of another one") {
  const int threads = GENERATE(1, 2);
  Pipeline outer{{.threads = threads}};
  auto sizes = outer.source({.name = "sizes"}, slots(2), count_to(20));
  auto sums = outer.then(sizes, {.name = "inner run", .concurrency = 2}, [&](int size) {
    Pipeline inner{{.threads = threads}};
    int sum = 0;
    inner.sink(inner.source({.name = "count"}, slots(2), count_to(size)), {.name = "sum"},
               [&](int n) { sum += n; });
    inner.run();
    return sum;
  });
  std::vector<int> seen, expected;
  outer.sink(sums, {.name = "collect"}, [&](int sum) { seen.push_back(sum); });
  outer.run();
  for (int n = 0; n < 20; ++n) expected.push_back(n * (n - 1) / 2);
  CHECK(seen == expected);
}

// A thread that waits for a nested loop may run other tasks of the graph meanwhile.
TEST_CASE("a nested parallel loop does not bring two calls into one copy of a node") {
  struct Nested {
    bool is_busy = false;
    int operator()(int n) {
      if (std::exchange(is_busy, true)) return -1;
      std::atomic<int> sum{0};
      oneapi::tbb::parallel_for(0, 64, [&](int i) { sum += i; });
      is_busy = false;
      return sum == 2016 ? n : -2;
    }
  };
  const int threads = GENERATE(1, 4);
  const int concurrency = GENERATE(1, 4);
  Pipeline p{{.threads = threads}};
  auto numbers = p.source({.name = "count"}, slots(16), count_to(2'000));
  auto looped = p.then(numbers, {.name = "loop", .concurrency = concurrency}, Nested{});
  auto again = p.then(looped, {.name = "again", .concurrency = concurrency}, Nested{});
  std::vector<int> seen, expected(2'000);
  p.sink(again, {.name = "collect"}, [&](int n) { seen.push_back(n); });
  p.run();
  std::iota(expected.begin(), expected.end(), 0);
  CHECK(seen == expected);
}

// By default every node queues without a bound.
TEST_CASE("a stalled consumer stops the source at the last slot") {
  const int threads = GENERATE(1, 4);
  std::atomic<int> emitted{0};
  int at_stall = 0;
  Gate told;
  Pipeline p{{.threads = threads,
              .stall = {.after_s = 0.1, .tell = [&](const std::string&) { told.add(); }}}};
  auto numbers = p.source({.name = "list"}, slots(6), [&, i = 0]() mutable {
    if (i == 500) return std::optional<int>();
    ++emitted;
    return std::optional<int>(i++);
  });
  auto mixed = p.then(numbers, {.name = "mix", .concurrency = 3}, [](int n) { return n; });
  p.sink(mixed, {.name = "stall", .on = On::blocking}, [&](int n) {
    if (n != 100) return;
    told.wait_for(1);  // nothing moves any more
    at_stall = emitted;
  });
  p.run();
  CHECK(at_stall >= 101);
  CHECK(at_stall <= 106);
}
