// A pipeline as its users write it: a pool of batches, a source, stages, gather, a sink.

#include "catch.h"

#include <millrace/pipeline/pipeline.h>

#include <atomic>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

using namespace millrace;

namespace {

struct Batch {
  std::vector<int> values;
};

/// A run of values of a batch: what a ticket of a training pipeline is.
struct Ticket {
  Lease<Batch> batch;
  std::uint32_t first = 0, count = 0;
};

/// Stamps `batches` batches of 8 values and emits two tickets for each.
struct Lister {
  int batches;
  int next = 0;
  bool operator()(Lease<Batch> batch, Emit<Ticket>& emit) {
    if (next == batches) return false;
    std::iota(batch->values.begin(), batch->values.end(), 8 * next++);
    emit({batch, 0, 4});
    emit({batch, 4, 4});
    return true;
  }
};

struct Square {
  Ticket operator()(const Ticket& ticket) const {
    for (std::uint32_t i = 0; i < ticket.count; ++i) {
      int& value = ticket.batch->values[ticket.first + i];
      value *= value;
    }
    return ticket;
  }
};

auto make_batch() {
  return sized(Bytes{8 * sizeof(int)}, [] { return Batch{std::vector<int>(8)}; });
}

}  // namespace

TEST_CASE("a pipeline fills batches in place and delivers them whole and in order") {
  const int threads = GENERATE(1, 2, 8);
  Pipeline p{{.name = "squares", .budget = 1_MiB, .threads = threads}};
  auto pool = p.pool<Batch>("host", 3, make_batch());
  auto tickets = p.source({.name = "list"}, pool, Lister{100});
  auto squared = p.then(tickets, {.name = "square", .concurrency = kAllThreads}, Square{});
  auto batches = p.gather(squared);
  std::vector<int> seen;
  p.sink(batches, {.name = "collect", .on = On::blocking}, [&](const Group<Ticket>& group) {
    REQUIRE(group.items.size() == 2);
    CHECK(group.lost == 0);
    const std::vector<int>& values = group.items.front().batch->values;
    seen.insert(seen.end(), values.begin(), values.end());
  });
  const Report report = p.run();

  std::vector<int> expected(800);
  for (int i = 0; i < 800; ++i) expected[static_cast<std::size_t>(i)] = i * i;
  CHECK(seen == expected);
  CHECK(report.stage("square").items == 200);
  CHECK(report.stage("collect").items == 100);
  CHECK(pool.free_slots() == 3);
}

TEST_CASE("a pipeline with one slot and one thread finishes") {
  Pipeline p{{.threads = 1}};
  auto pool = p.pool<Batch>("host", 1, make_batch());
  auto tickets = p.source({.name = "list"}, pool, Lister{50});
  int batches = 0;
  p.sink(p.gather(p.then(tickets, {.name = "square"}, Square{})), {.name = "count"},
         [&](const Group<Ticket>&) { ++batches; });
  p.run();
  CHECK(batches == 50);
}

TEST_CASE("the same pipeline runs twice from the start") {
  Pipeline p;
  auto pool = p.pool<Batch>("host", 2, make_batch());
  auto tickets = p.source({.name = "list"}, pool, Lister{10});
  int sum = 0;
  p.sink(p.gather(p.then(tickets, {.name = "square"}, Square{})), {.name = "sum"},
         [&](const Group<Ticket>& g) {
           for (const int value : g.items.front().batch->values) sum += value;
         });
  p.run();
  const int first = sum;
  p.run();
  CHECK(first > 0);
  CHECK(sum == 2 * first);
}

TEST_CASE("never more items are under way than the source has slots") {
  Pipeline p{{.threads = 4}};
  std::atomic<int> under_way{0}, most{0};
  auto numbers = p.source({.name = "count"}, slots(3), [i = 0]() mutable {
    return i < 500 ? std::optional<int>(i++) : std::nullopt;
  });
  auto entered = p.then(numbers, {.name = "enter", .concurrency = 4}, [&](int n) {
    const int now = ++under_way;
    int seen = most.load();
    while (seen < now && !most.compare_exchange_weak(seen, now)) {
    }
    return n;
  });
  p.sink(entered, {.name = "slow", .on = On::blocking}, [&](int) { --under_way; });
  p.run();
  CHECK(most <= 3);
  CHECK(under_way == 0);
}

TEST_CASE("with() joins items with slots of a second pool and keeps their order") {
  Pipeline p{{.threads = 4}};
  auto device = p.pool<int>("device", 2, [] { return 0; });
  auto numbers = p.source({.name = "count"}, slots(8), [i = 0]() mutable {
    return i < 300 ? std::optional<int>(i++) : std::nullopt;
  });
  auto mixed = p.then(numbers, {.name = "mix", .concurrency = 4}, [](int n) { return n; });
  auto joined = p.with(mixed, {.name = "slot"}, device);
  auto copied = p.then(joined, {.name = "copy", .concurrency = 2}, [](const With<int, int>& w) {
    *w.slot = w.item;
    return w;
  });
  std::vector<int> seen;
  p.sink(copied, {.name = "collect", .on = On::engine}, [&](const With<int, int>& w) {
    CHECK(*w.slot == w.item);
    seen.push_back(w.item);
  });
  p.run();
  REQUIRE(seen.size() == 300);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(device.free_slots() == 2);
}

TEST_CASE("a body that returns nothing ends its item, and order goes on") {
  Pipeline p{{.threads = 4}};
  auto numbers = p.source({.name = "count"}, slots(16), [i = 0]() mutable {
    return i < 1000 ? std::optional<int>(i++) : std::nullopt;
  });
  auto even = p.then(numbers, {.name = "even", .concurrency = 4},
                     [](int n) { return n % 2 == 0 ? std::optional<int>(n) : std::nullopt; });
  std::vector<int> seen;
  p.sink(even, {.name = "collect"}, [&](int n) { seen.push_back(n); });
  p.run();
  REQUIRE(seen.size() == 500);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
}

TEST_CASE("each concurrent call has a copy of the callable of its own") {
  struct Scratch {
    int depth = 0;
    int operator()(int n) {
      ++depth;
      const int seen = depth;
      --depth;
      return seen == 1 ? n : -1;
    }
  };
  Pipeline p{{.threads = 4}};
  auto numbers = p.source({.name = "count"}, slots(16), [i = 0]() mutable {
    return i < 2000 ? std::optional<int>(i++) : std::nullopt;
  });
  auto checked = p.then(numbers, {.name = "check", .concurrency = 4}, Scratch{});
  int failures = 0;
  p.sink(checked, {.name = "count failures"}, [&](int n) { failures += n < 0 ? 1 : 0; });
  p.run();
  CHECK(failures == 0);
}

TEST_CASE("engine stages share one thread that is none of oneTBB's") {
  Pipeline p{{.threads = 2}};
  std::set<std::thread::id> engine, compute;
  std::mutex mutex;
  auto numbers = p.source({.name = "count"}, slots(4), [i = 0]() mutable {
    return i < 100 ? std::optional<int>(i++) : std::nullopt;
  });
  auto computed = p.then(numbers, {.name = "compute", .concurrency = 2}, [&](int n) {
    const std::scoped_lock lock(mutex);
    compute.insert(std::this_thread::get_id());
    return n;
  });
  auto stepped = p.then(computed, {.name = "step", .on = On::engine}, [&](int n) {
    engine.insert(std::this_thread::get_id());
    return n;
  });
  p.sink(stepped, {.name = "measure", .on = On::engine},
         [&](int) { engine.insert(std::this_thread::get_id()); });
  p.run();
  REQUIRE(engine.size() == 1);
  CHECK(compute.count(*engine.begin()) == 0);
}

TEST_CASE("a stop request ends the run early, with all leases home") {
  Pipeline p{{.threads = 2}};
  auto pool = p.pool<Batch>("host", 3, make_batch());
  std::stop_source stop;
  auto tickets = p.source({.name = "list"}, pool, Lister{1'000'000});
  auto squared = p.then(tickets, {.name = "square", .concurrency = 2}, Square{});
  int batches = 0;
  p.sink(p.gather(squared), {.name = "stop", .on = On::engine}, [&](const Group<Ticket>&) {
    if (++batches == 5) stop.request_stop();
  });
  const Report report = p.run(stop.get_token());
  CHECK(report.stopped);
  CHECK(batches == 5);
  CHECK(pool.free_slots() == 3);
}

TEST_CASE("an item that owns memory is not copied on its way") {
  struct Counted {
    std::vector<int> values = std::vector<int>(1000);
    std::shared_ptr<int> copies = std::make_shared<int>(0);
    Counted() = default;
    Counted(Counted&&) = default;
    Counted(const Counted& other) : values(other.values), copies(other.copies) { ++*copies; }
    Counted& operator=(const Counted&) = delete;
  };
  static_assert(sizeof(std::vector<int>) <= 24);
  Pipeline p;
  auto once = p.source({.name = "once"}, slots(1), [i = 0]() mutable {
    return i++ == 0 ? std::optional<Counted>(Counted()) : std::nullopt;
  });
  int copies = -1;
  p.sink(once, {.name = "count"}, [&](const Counted& item) { copies = *item.copies; });
  p.run();
  CHECK(copies == 0);

  Pipeline q;
  auto vectors = q.source({.name = "once"}, slots(1), [i = 0]() mutable {
    return i++ == 0 ? std::optional<std::vector<int>>(std::vector<int>(1000)) : std::nullopt;
  });
  const int* made = nullptr;
  auto noted = q.then(vectors, {.name = "note"}, [&](const std::vector<int>&) {
    std::vector<int> out(10);
    made = out.data();
    return out;
  });
  const int* seen = nullptr;
  q.sink(noted, {.name = "see", .on = On::blocking},
         [&](const std::vector<int>& v) { seen = v.data(); });
  q.run();
  CHECK(seen == made);
}
