// retry(n): the same item again, a few times, before it is skipped or ends the run.

#include "catch.h"
#include "pipeline/count_to.h"

#include <millrace/pipeline/pipeline.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <new>

using namespace millrace;
using namespace millrace::test;

namespace {

/// Fails on every item `times` times. Shared by the copies of a node.
struct Flaky {
  int times;
  std::mutex mutex{};
  std::map<int, int> calls{};
  int call(int n) {
    const std::scoped_lock lock(mutex);
    if (calls[n]++ < times) throw Error(concat("item ", n, ": no answer"));
    return n;
  }
};

}  // namespace

TEST_CASE("an item that fails is tried again and keeps its place in order") {
  const int threads = GENERATE(1, 4);
  const On on = GENERATE(On::compute, On::blocking, On::engine);
  Flaky flaky{2};
  Pipeline p{{.threads = threads}};
  auto numbers = p.source({.name = "count"}, slots(8), count_to(500));
  auto read = p.then(
      numbers,
      {.name = "read", .concurrency = on == On::engine ? 1 : 3, .on = on, .on_error = retry(2)},
      [&](int n) { return n % 10 == 0 ? flaky.call(n) : n; });
  std::vector<int> seen;
  p.sink(read, {.name = "collect"}, [&](int n) { seen.push_back(n); });
  const Report report = p.run();
  CHECK(seen.size() == 500);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(report.stage("read").retried == 100);
  CHECK(report.stage("read").items == 500);
  CHECK(report.stage("read").skipped == 0);
  CHECK(report.text().find("tried again: read, 100 times") != std::string::npos);
  CHECK(report.json().find("\"retried\":100") != std::string::npos);
}

TEST_CASE("an item that fails too often ends the run with the last message") {
  Flaky flaky{3};
  Pipeline p;
  auto numbers = p.source({.name = "count"}, slots(2), count_to(10));
  p.sink(numbers, {.name = "read", .on_error = retry(2)}, [&](int n) {
    if (n == 4) flaky.call(n);
  });
  CHECK_THROWS_WITH(p.run(), "read: item 4: no answer");
  CHECK(flaky.calls[4] == 3);
}

TEST_CASE("an item that fails too often is skipped where the policy behind says so") {
  Flaky flaky{1'000};
  Pipeline p{{.threads = 2}};
  auto numbers = p.source({.name = "count"}, slots(4), count_to(100));
  auto read = p.then(numbers, {.name = "read", .on_error = retry(3, skip(10))},
                     [&](int n) { return n % 25 == 7 ? flaky.call(n) : n; });
  int items = 0;
  p.sink(read, {.name = "count items"}, [&](int) { ++items; });
  const Report report = p.run();
  CHECK(items == 96);
  CHECK(report.stage("read").skipped == 4);
  CHECK(report.stage("read").retried == 12);
  CHECK(p.plan().text().find("tries up to 3 times again, skips at most 10") != std::string::npos);
}

TEST_CASE("a skip over the limit is not tried again") {
  int calls = 0;
  Pipeline p;
  auto numbers = p.source({.name = "count"}, slots(1), count_to(1));
  p.sink(numbers, {.name = "parts", .on_error = retry(5, skip(0))}, [&](int, Context& context) {
    ++calls;
    context.skip("a part is bad");
  });
  CHECK_THROWS_WITH(p.run(), Catch::Contains("one more than the 0 that may be skipped"));
  CHECK(calls == 1);
}

TEST_CASE("work that fails elsewhere is begun again") {
  const int threads = GENERATE(1, 4);
  const On on = GENERATE(On::compute, On::blocking, On::engine);
  std::map<int, int> begun;
  Pipeline p{{.threads = threads}};
  auto pool = p.pool<int>("slots", 3, [] { return 0; });
  auto leases =
      p.source({.name = "list"}, pool, [i = 0](Lease<int> slot, Emit<Lease<int>>& emit) mutable {
        *slot = i++;
        emit(slot);
        return i < 60;
      });
  auto copied = p.then(leases, {.name = "copy", .on = on, .on_error = retry(2, skip())},
                       [&](const Lease<int>& slot) {
                         Promise promise;
                         Completion ended = promise.completion();
                         const int failures = *slot % 5;  // 0 to 4 of them
                         Outcome outcome;
                         if (begun[*slot]++ < failures) {
                           outcome.error = std::make_exception_ptr(Error("refused"));
                         }
                         promise.end(outcome);
                         return Pending<Lease<int>>{slot, ended};
                       });
  std::vector<int> seen;
  p.sink(copied, {.name = "collect"}, [&](const Lease<int>& slot) { seen.push_back(*slot); });
  const Report report = p.run();
  CHECK(seen.size() == 36);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(report.stage("copy").retried == 12 * (1 + 2 + 2 + 2));
  CHECK(report.stage("copy").skipped == 24);
  CHECK(pool.free_slots() == 3);
}

TEST_CASE("a lack of memory can be tried again too") {
  int calls = 0;
  Pipeline p;
  auto numbers = p.source({.name = "count"}, slots(1), count_to(1));
  p.sink(numbers, {.name = "grow", .on_error = retry(1)}, [&](int) {
    if (++calls == 1) throw std::bad_alloc();
  });
  CHECK(p.run().stage("grow").retried == 1);
  CHECK(calls == 2);
}

TEST_CASE("a stopped run does not try again") {
  std::stop_source stop;
  std::atomic<int> calls{0};
  Pipeline p;
  auto numbers = p.source({.name = "count"}, slots(1), count_to(1'000));
  p.sink(numbers, {.name = "read", .on_error = retry(1'000'000'000, skip())}, [&](int) {
    if (++calls == 100) stop.request_stop();
    throw Error("no answer");
  });
  CHECK(p.run(stop.get_token()).stopped);
  CHECK(calls == 100);
}

TEST_CASE("only a stage with a body of its own is tried again") {
  Pipeline p;
  CHECK_THROWS_WITH(p.source({.name = "count", .on_error = retry(1)}, slots(1), count_to(1)),
                    "stage 'count': a source cannot be tried again; only then() and sink() can");
}
