// Stages that begin work which ends elsewhere: nobody waits, nothing is lost, order comes back.

#include "catch.h"
#include "pipeline/count_to.h"

#include <millrace/pipeline/pipeline.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

using namespace millrace;
using namespace millrace::test;

namespace {

/// Another thread that ends what it is given.
class Elsewhere {
 public:
  Elsewhere() : thread_([this] { work(); }) {}
  ~Elsewhere() {
    {
      const std::scoped_lock lock(mutex_);
      closing_ = true;
    }
    ready_.notify_all();
    thread_.join();
  }
  void end(Promise promise, Outcome outcome = {}) {
    {
      const std::scoped_lock lock(mutex_);
      promises_.emplace_back(std::move(promise), std::move(outcome));
    }
    ready_.notify_all();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ready_.wait(lock, [this] { return closing_ || !promises_.empty(); });
      if (promises_.empty()) return;
      auto [promise, outcome] = std::move(promises_.front());
      promises_.pop_front();
      lock.unlock();
      promise.end(std::move(outcome));
      lock.lock();
    }
  }
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::pair<Promise, Outcome>> promises_;
  bool closing_ = false;
  std::thread thread_;
};

/// Holds what was begun until `count` are there, then ends them all, the last one first.
struct LastFirst {
  Elsewhere& elsewhere;
  std::size_t count;
  std::vector<Promise> begun{};

  Completion begin() {
    Promise promise;
    const Completion completion = promise.completion();
    begun.push_back(std::move(promise));
    if (begun.size() == count) {
      for (; !begun.empty(); begun.pop_back()) elsewhere.end(std::move(begun.back()));
    }
    return completion;
  }
};

Outcome failure(const char* what) {
  return {.error = std::make_exception_ptr(Error(what))};
}

}  // namespace

TEST_CASE("items that end in another order are seen in the order of the source") {
  const int threads = GENERATE(1, 4);
  const On on = GENERATE(On::compute, On::blocking, On::engine);
  const On after = GENERATE(On::compute, On::engine);
  Elsewhere elsewhere;
  LastFirst last_first{elsewhere, 4};
  Pipeline p{{.threads = threads}};
  auto numbers = p.source({.name = "count"}, slots(8), count_to(400));
  auto copied = p.then(numbers, {.name = "copy", .on = on}, [&](int n) {
    return Pending<int>{n, last_first.begin()};
  });
  std::vector<int> seen;
  p.sink(copied, {.name = "collect", .on = after}, [&](int n) { seen.push_back(n); });
  p.run();
  REQUIRE(seen.size() == 400);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
}

TEST_CASE("one thread has any number of items in flight") {
  Elsewhere elsewhere;
  LastFirst last_first{elsewhere, 64};
  Pipeline p{{.threads = 1}};
  auto numbers = p.source({.name = "count"}, slots(64), count_to(640));
  auto copied = p.then(numbers, {.name = "copy"}, [&](int n) {
    return Pending<int>{n, last_first.begin()};
  });
  int items = 0;
  p.sink(copied, {.name = "collect"}, [&](int) { ++items; });
  const Report report = p.run();
  CHECK(items == 640);
  CHECK(report.stage("copy").items == 640);
  CHECK(report.stage("copy").peak_in_flight <= 64);
  CHECK(report.stage("copy").peak_in_flight >= 63);  // the last one may end before it is counted
  CHECK(report.stage("copy").peak_queue == 64);
}

TEST_CASE("an item whose work fails elsewhere ends the run with that error and all slots free") {
  const int threads = GENERATE(1, 4);
  Elsewhere elsewhere;
  Pipeline p{{.threads = threads}};
  auto pool = p.pool<int>("host", 3, [] { return 0; });
  auto device = p.pool<int>("device", 2, [] { return 0; });
  auto leases =
      p.source({.name = "list"}, pool, [i = 0](Lease<int> slot, Emit<Lease<int>>& emit) mutable {
        *slot = i++;
        emit(slot);
        return i < 10'000;
      });
  auto copied =
      p.then(p.with(leases, {.name = "device slot"}, device), {.name = "copy"},
             [&](const With<Lease<int>, int>& batch) {
               Promise promise;
               Completion ended = promise.completion();
               elsewhere.end(std::move(promise),
                             *batch.item == 100 ? failure("the device is gone") : Outcome{});
               return Pending<Lease<int>>{batch.slot, std::move(ended)};
             });
  int items = 0;
  p.sink(copied, {.name = "step", .on = On::engine}, [&](const Lease<int>&) { ++items; });
  try {
    p.run();
    FAIL("the run did not throw");
  } catch (const StageError& error) {
    CHECK(error.what() == std::string("copy: the device is gone"));
    CHECK(error.item() == 100);
  }
  CHECK(items <= 100);
  CHECK(pool.free_slots() == 3);
  CHECK(device.free_slots() == 2);
}

TEST_CASE("an item whose work fails elsewhere keeps its slot until the run is ending") {
  struct Item {
    Item(std::stop_token token, std::atomic<int>& gone_too_early)
        : stop(std::move(token)), too_early(gone_too_early) {}
    ~Item() { too_early += stop.stop_requested() ? 0 : 1; }
    Item(const Item&) = delete;
    Item& operator=(const Item&) = delete;
    std::stop_token stop;
    std::atomic<int>& too_early;
  };
  std::atomic<int> too_early = 0;
  Elsewhere elsewhere;
  Pipeline p{{.threads = 2}};
  auto numbers = p.source({.name = "count"}, slots(1), count_to(1));
  auto items = p.then(numbers, {.name = "copy"}, [&](int, Context& context) {
    Promise promise;
    Pending<std::shared_ptr<Item>> pending{std::make_shared<Item>(context.stop_token(), too_early),
                                           promise.completion()};
    elsewhere.end(std::move(promise), failure("no such device"));
    return pending;
  });
  p.sink(items, {.name = "use"}, [](const std::shared_ptr<Item>&) {});
  CHECK_THROWS_WITH(p.run(), "copy: no such device");
  CHECK(too_early == 0);
}

TEST_CASE("work that fails elsewhere is skipped where the stage skips") {
  Elsewhere elsewhere;
  Pipeline p{{.threads = 2}};
  auto numbers = p.source({.name = "count"}, slots(4), count_to(100));
  auto copied = p.then(numbers, {.name = "copy", .on_error = skip(3)}, [&](int n) {
    Promise promise;
    Completion ended = promise.completion();
    elsewhere.end(std::move(promise), n % 40 == 7 ? failure("refused") : Outcome{});
    return Pending<int>{n, std::move(ended)};
  });
  int sum = 0;
  p.sink(copied, {.name = "sum"}, [&](int n) { sum += n; });
  const Report report = p.run();
  CHECK(sum == 4950 - 7 - 47 - 87);
  CHECK(report.stage("copy").skipped == 3);
  CHECK(report.skipped == std::vector<std::string>{"copy: refused"});
}

TEST_CASE("a promise that is dropped is a failure and not a wait for ever") {
  Pipeline p{{.threads = 2}};
  auto numbers = p.source({.name = "count"}, slots(4), count_to(100));
  auto copied = p.then(numbers, {.name = "copy"}, [](int n) {
    return Pending<int>{n, Promise().completion()};
  });
  p.sink(copied, {.name = "drop"}, [](int) {});
  CHECK_THROWS_WITH(p.run(), Catch::Contains("copy: what was begun was dropped"));
}

TEST_CASE("what had ended before the stage returned goes on at once") {
  Pipeline p{{.threads = 2}};
  auto numbers = p.source({.name = "count"}, slots(4), count_to(1'000));
  auto copied = p.then(numbers, {.name = "copy"}, [](int n) {
    return Pending<int>{n, Completion::done()};
  });
  std::vector<int> seen;
  p.sink(copied, {.name = "collect"}, [&](int n) { seen.push_back(n); });
  const Report report = p.run();
  CHECK(seen.size() == 1'000);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(report.stage("copy").peak_in_flight == 0);
  CHECK(report.text().find("device s") == std::string::npos);
}

TEST_CASE("a completion that belongs to somebody else is a failure of the stage") {
  Promise promise;
  const Completion shared = promise.completion();
  shared.then([](const Outcome&) {});
  Pipeline p;
  auto pool = p.pool<int>("slots", 1, [] { return 0; });
  auto numbers = p.source({.name = "count"}, pool, [](Lease<int>, Emit<int>& emit) {
    emit(1);
    return false;
  });
  auto copied = p.then(numbers, {.name = "copy"}, [&](int n) { return Pending<int>{n, shared}; });
  p.sink(copied, {.name = "drop"}, [](int) {});
  CHECK_THROWS_WITH(p.run(), Catch::Contains("one continuation"));
  CHECK(pool.free_slots() == 1);
}

TEST_CASE("a run that is stopped waits for what has begun elsewhere") {
  const int threads = GENERATE(1, 4);
  std::stop_source stop;
  Elsewhere elsewhere;
  std::atomic<int> begun{0}, ended{0};
  Pipeline p{{.threads = threads}};
  auto pool = p.pool<int>("slots", 3, [] { return 0; });
  auto leases =
      p.source({.name = "list"}, pool, [i = 0](Lease<int> slot, Emit<Lease<int>>& emit) mutable {
        *slot = i++;
        emit(slot);
        return true;
      });
  auto copied = p.then(leases, {.name = "copy"}, [&](const Lease<int>& slot) {
    ++begun;
    Promise mine;
    Completion completion = mine.completion();
    // The word of the end comes on the other thread, after the request to stop.
    if (*slot == 20) stop.request_stop();
    Promise first;
    first.completion().then(
        [&ended, held = std::make_shared<Promise>(std::move(mine)), slot](const Outcome& outcome) {
          ++ended;
          held->end(outcome);
        });
    elsewhere.end(std::move(first));
    return Pending<Lease<int>>{slot, std::move(completion)};
  });
  p.sink(copied, {.name = "drop"}, [](const Lease<int>&) {});
  CHECK(p.run(stop.get_token()).stopped);
  CHECK(begun == ended);
  CHECK(begun >= 21);
}

TEST_CASE("the report tells the time on the device, and a busy device sets the pace") {
  Elsewhere elsewhere;
  Pipeline p{{.threads = 2}};
  auto numbers = p.source({.name = "count"}, slots(4), count_to(100));
  auto copied = p.then(numbers, {.name = "copy"}, [&](int n) {
    Promise promise;
    Completion ended = promise.completion();
    elsewhere.end(std::move(promise), {.device_s = 0.5});
    return Pending<int>{n, std::move(ended)};
  });
  p.sink(copied, {.name = "drop"}, [](int) {});
  const Report report = p.run();
  CHECK(report.stage("copy").device_s == Approx(50).epsilon(1e-9));
  CHECK(report.bottleneck() == "copy");
  CHECK(report.text().find("device s") != std::string::npos);
  CHECK(report.json().find("\"device_s\":50") != std::string::npos);
}
