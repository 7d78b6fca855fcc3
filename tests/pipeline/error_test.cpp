// One fate for errors: recorded, drained, every lease home, then thrown.

#include "catch.h"
#include "pipeline/count_to.h"

#include <millrace/pipeline/pipeline.h>

#include <stdexcept>

using namespace millrace;
using namespace millrace::test;

namespace {

struct Fails {
  int at;
  int operator()(int n) const {
    if (n == at) throw Error("img/042.png: truncated JPEG");
    return n;
  }
};

}  // namespace

TEST_CASE("an exception in any stage ends the run with its own message and all slots free") {
  const int threads = GENERATE(1, 4);
  const int failing = GENERATE(0, 1, 2, 3);
  const On on = GENERATE(On::compute, On::blocking, On::engine);
  Pipeline p{{.threads = threads}};
  auto pool = p.pool<int>("slots", 4, [] { return 0; });
  auto device = p.pool<int>("device", 2, [] { return 0; });
  auto source = p.source({.name = "list", .on = on}, pool,
                         [failing, i = 0](Lease<int> slot, Emit<int>& emit) mutable {
                           *slot = i;
                           emit(i++);
                           if (failing == 0 && i > 100) throw Error("img/042.png: truncated JPEG");
                           return i < 10'000;
                         });
  auto first = p.then(source, {.name = "first", .on = on}, Fails{failing == 1 ? 100 : -1});
  auto joined = p.with(first, {.name = "device slot"}, device);
  auto second =
      p.then(joined, {.name = "second", .on = on},
             [f = Fails{failing == 2 ? 100 : -1}](const With<int, int>& w) { return f(w.item); });
  p.sink(second, {.name = "sink", .on = on}, [f = Fails{failing == 3 ? 100 : -1}](int n) { f(n); });

  const char* const names[] = {"list", "first", "second", "sink"};
  try {
    p.run();
    FAIL("the run did not throw");
  } catch (const StageError& error) {
    CHECK(error.stage() == names[failing]);
    CHECK(error.what() == std::string(names[failing]) + ": img/042.png: truncated JPEG");
    CHECK_THROWS_AS(std::rethrow_if_nested(error), Error);
  }
  CHECK(pool.free_slots() == 4);
  CHECK(device.free_slots() == 2);
  CHECK(p.last_report().stage("first").items < 10'000);
}

TEST_CASE("skip leaves out items that fail, counts them and says why") {
  Pipeline p{{.threads = 2}};
  auto numbers = p.source({.name = "count"}, slots(4), count_to(100));
  auto checked =
      p.then(numbers, {.name = "check", .concurrency = 2, .on_error = skip(3)}, [](int n) {
        if (n % 40 == 7) throw Error(concat("item ", n, " is bad"));
        return n;
      });
  int sum = 0, items = 0;
  p.sink(checked, {.name = "sum"}, [&](int n) {
    sum += n;
    ++items;
  });
  const Report report = p.run();
  CHECK(items == 97);
  CHECK(sum == 4950 - 7 - 47 - 87);
  CHECK(report.stage("check").skipped == 3);
  REQUIRE(report.skipped.size() == 3);
  CHECK(report.skipped.front().find("is bad") != std::string::npos);
}

TEST_CASE("one skip more than the limit fails the run and says so") {
  Pipeline p;
  auto numbers = p.source({.name = "count"}, slots(2), count_to(100));
  auto checked = p.then(numbers, {.name = "check", .on_error = skip(3)},
                        [](int n) -> int { throw Error(concat("item ", n, " is bad")); });
  p.sink(checked, {.name = "drop"}, [](int) {});
  CHECK_THROWS_WITH(p.run(),
                    "check: item 3 is bad; that is one more than the 3 that may be skipped");
}

TEST_CASE("a body can skip a part of its item and go on with the rest") {
  Pipeline p;
  auto numbers = p.source({.name = "count"}, slots(2), count_to(10));
  auto halves =
      p.then(numbers, {.name = "halves", .on_error = skip()}, [](int n, Context& context) {
        if (n == 5) context.skip("half of item 5 is bad");
        return n;
      });
  int items = 0;
  p.sink(halves, {.name = "count items"}, [&](int) { ++items; });
  const Report report = p.run();
  CHECK(items == 10);
  CHECK(report.stage("halves").skipped == 1);
  CHECK(report.skipped == std::vector<std::string>{"halves: half of item 5 is bad"});
}

TEST_CASE("a part that is skipped under fail ends the run") {
  Pipeline p;
  auto numbers = p.source({.name = "count"}, slots(2), count_to(10));
  auto halves = p.then(numbers, {.name = "halves"}, [](int n, Context& context) {
    context.skip("half of it is bad");
    return n;
  });
  p.sink(halves, {.name = "drop"}, [](int) {});
  CHECK_THROWS_WITH(p.run(), "halves: half of it is bad");
}

TEST_CASE("a group that loses items arrives with the others, and says how many it lost") {
  Pipeline p{{.threads = 4}};
  auto pool = p.pool<int>("batch", 3, [] { return 0; });
  auto items = p.source({.name = "list"}, pool, [b = 0](Lease<int> slot, Emit<int>& emit) mutable {
    *slot = b;
    for (int i = 0; i < 10; ++i) emit(10 * b + i);
    return ++b < 40;
  });
  auto checked = p.then(items, {.name = "check", .concurrency = 4, .on_error = skip()}, [](int n) {
    if (n % 10 < n / 100) throw Error("bad");  // batch b loses its first b / 10 items
    return n;
  });
  std::vector<Group<int>> groups;
  p.sink(p.gather(checked), {.name = "collect"}, [&](const Group<int>& g) { groups.push_back(g); });
  p.run();
  REQUIRE(groups.size() == 40);
  for (std::size_t b = 0; b < groups.size(); ++b) {
    CHECK(groups[b].number == b);
    CHECK(groups[b].lost == b / 10);
    CHECK(groups[b].items.size() == 10 - b / 10);
    CHECK(groups[b].items.front() == static_cast<int>(10 * b + b / 10));
  }
}

TEST_CASE("a group that loses all items does not arrive and nothing waits for it") {
  Pipeline p{{.threads = 2}};
  auto pool = p.pool<int>("batch", 2, [] { return 0; });
  auto items = p.source({.name = "list"}, pool, [b = 0](Lease<int>, Emit<int>& emit) mutable {
    emit(b);
    emit(b);
    return ++b < 20;
  });
  auto checked = p.then(items, {.name = "check", .concurrency = 2, .on_error = skip()}, [](int n) {
    if (n == 7) throw Error("bad");
    return n;
  });
  std::vector<int> seen;
  p.sink(p.gather(checked), {.name = "collect"},
         [&](const Group<int>& g) { seen.push_back(g.items.front()); });
  p.run();
  CHECK(seen.size() == 19);
  CHECK(std::find(seen.begin(), seen.end(), 7) == seen.end());
}

TEST_CASE("something that is no std::exception is reported too") {
  Pipeline p;
  auto numbers = p.source({.name = "count"}, slots(2), count_to(10));
  p.sink(numbers, {.name = "throw"}, [](int) { throw 42; });
  CHECK_THROWS_WITH(p.run(), "throw: unknown exception");
}

TEST_CASE("slots that are kept outside the pipeline are named instead of losing data") {
  Pipeline p;
  auto pool = p.pool<int>("host", 2, [] { return 0; });
  auto leases =
      p.source({.name = "list"}, pool, [i = 0](Lease<int> slot, Emit<Lease<int>>& emit) mutable {
        emit(slot);
        return ++i < 10;
      });
  std::vector<Lease<int>> kept;
  p.sink(leases, {.name = "keep"}, [&](const Lease<int>& lease) { kept.push_back(lease); });
  CHECK_THROWS_WITH(p.run(), Catch::Contains("all 2 slots of pool 'host' are held"));
}

TEST_CASE("a skip limit that a part of an item exceeds is told once") {
  Pipeline p;
  auto numbers = p.source({.name = "count"}, slots(2), count_to(10));
  auto parts = p.then(numbers, {.name = "parts", .on_error = skip(1)}, [](int n, Context& context) {
    context.skip(concat("half of ", n, " is bad"));
    return n;
  });
  p.sink(parts, {.name = "drop"}, [](int) {});
  CHECK_THROWS_WITH(p.run(),
                    "parts: half of 1 is bad; that is one more than the 1 that may be skipped");
}

TEST_CASE("items that can never get a slot are an error and not lost in silence") {
  Pipeline p{{.threads = 2}};
  auto pool = p.pool<int>("batch", 1, [] { return 0; });
  auto device = p.pool<int>("device", 4, [] { return 0; });
  auto items = p.source({.name = "list"}, pool, [](Lease<int>, Emit<int>& emit) {
    for (int i = 0; i < 10; ++i) emit(i);
    return false;
  });
  // Four items wait in gather with all four slots, the other six wait for one of them.
  auto joined = p.with(items, {.name = "slot"}, device);
  p.sink(p.gather(joined), {.name = "drop"}, [](const Group<With<int, int>>&) {});
  CHECK_THROWS_WITH(p.run(), Catch::Contains("slot: 6 items wait for a slot of pool 'device'"));
  CHECK(device.free_slots() == 4);
  CHECK(pool.free_slots() == 1);
}

TEST_CASE("a trace that cannot be written does not hide the error of a stage") {
  Pipeline p{{.trace = "no/such/folder/trace.json"}};
  auto numbers = p.source({.name = "count"}, slots(2), count_to(10));
  p.sink(numbers, {.name = "fail"}, [](int) { throw Error("disk full"); });
  CHECK_THROWS_WITH(p.run(), "fail: disk full");
}

TEST_CASE("a trace that cannot be written does not lose a run") {
  Pipeline p{{.trace = "no/such/folder/trace.json"}};
  auto numbers = p.source({.name = "count"}, slots(2), count_to(10));
  p.sink(numbers, {.name = "use"}, [](int) {});
  const Report report = p.run();
  CHECK(report.stage("use").items == 10);
  REQUIRE(report.remarks.size() == 1);
  CHECK_THAT(report.remarks.front(), Catch::Contains("there is no trace") && Catch::Contains("no/such/folder"));
}
