// Mistakes of whoever composes a pipeline, each told in one line. Those that the compiler tells are
// in misuse/.

#include "catch.h"
#include "pipeline/count_to.h"

#include <millrace/pipeline/range.h>

#include <memory>
#include <string>
#include <utility>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

/// A node that keeps state from item to item.
struct Sum {
  static constexpr bool is_serial = true;
  int sum = 0;
  int operator()(int n) { return sum += n; }
};

int doubled(int n) {
  return 2 * n;
}
std::optional<int> nothing() {
  return std::nullopt;
}
Generator<int> three(Position) {
  for (int i = 0; i < 3; ++i) co_yield i;
}
bool fill(Lease<int> slot, Emit<Lease<int>>& emit) {
  *slot = 7;
  emit(slot);
  return false;
}

}  // namespace

TEST_CASE("a stream of another pipeline is refused by its name") {
  Pipeline first{{.name = "first"}}, second{{.name = "second"}};
  auto texts = first.source("texts", slots(1), [] { return std::optional<std::string>(); });
  auto numbers = second.source("numbers", slots(1), nothing);
  auto pool = second.pool<int>("slot", 1, [] { return 0; });
  const auto told = [](const char* stage) {
    return std::string("stage '") + stage +
           "': its input is the output of 'texts' of another pipeline, 'first'; a stage reads "
           "streams of its own pipeline, here 'second'";
  };
  CHECK_THROWS_WITH(second.then(texts, "then", [](const std::string& s) { return s; }),
                    told("then"));
  CHECK_THROWS_WITH(second.sink(texts, "sink", [](const std::string&) {}), told("sink"));
  CHECK_THROWS_WITH(second.with(texts, "with", pool), told("with"));
  CHECK_THROWS_WITH(second.gather(texts), told("gather"));
  CHECK_THROWS_WITH(second.join("join", numbers, texts), told("join"));
  CHECK_THROWS_WITH(second.range(texts), told("range"));
  // Nothing of all that is in the pipeline.
  second.sink(numbers, "end", [](int) {});
  CHECK(second.plan().stages.size() == 2);
}

TEST_CASE("a stream of a pipeline that is gone is refused") {
  auto gone = std::make_unique<Pipeline>(Pipeline::Options{.name = "gone"});
  auto numbers = gone->source("numbers", slots(1), nothing);
  gone.reset();
  Pipeline p{{.name = "here"}};
  CHECK_THROWS_WITH(p.sink(numbers, "end", [](int) {}), Contains("a pipeline that is gone"));
}

TEST_CASE("a stream stays one of its pipeline when that is moved") {
  Pipeline before;
  auto numbers = before.source("numbers", slots(1), three);
  Pipeline after = std::move(before);
  int sum = 0;
  after.sink(numbers, "sum", [&](int n) { sum += n; });
  after.run();
  CHECK(sum == 3);
}

TEST_CASE("a pipeline that was moved from says so, and none can be copied") {
  static_assert(!std::is_copy_constructible_v<Pipeline> && !std::is_copy_assignable_v<Pipeline>);
  static_assert(std::is_nothrow_move_constructible_v<Pipeline>);
  Pipeline before;
  const Pipeline after = std::move(before);
  const char* const told = "this pipeline was moved from; use the one it was moved to";
  CHECK_THROWS_WITH(before.run(), told);
  CHECK_THROWS_WITH(before.plan(), told);
  CHECK_THROWS_WITH(before.check(), told);
  CHECK_THROWS_WITH(before.last_report(), told);
  CHECK_THROWS_WITH(before.charge("index", 1, 1_MiB), told);
  CHECK_THROWS_WITH(before.source("numbers", slots(1), nothing), told);
}

TEST_CASE("a serial node has a stage of concurrency 1, wherever it runs") {
  const On on = GENERATE(On::compute, On::blocking);
  const int concurrency = GENERATE(2, kAllThreads);
  Pipeline p;
  auto numbers = p.source("numbers", slots(1), nothing);
  const Stage stage{.name = "sum", .concurrency = concurrency, .on = on};
  const char* const told =
      "stage 'sum': its node keeps state from item to item and takes one at a time; its "
      "concurrency is 1";
  CHECK_THROWS_WITH(p.then(numbers, stage, Sum{}), told);
  CHECK_THROWS_WITH(p.sink(numbers, stage, Sum{}), told);
  CHECK_NOTHROW(p.then(numbers, {.name = "sum", .on = on}, Sum{}));
}

TEST_CASE("a range that was moved from says so") {
  Pipeline p;
  Range<int> before = p.range(p.source("numbers", slots(1), three));
  Range<int> after = std::move(before);
  const char* const told = "this range was moved from; loop over the one it was moved to";
  const auto loop = [&] {
    for (const int n : before) FAIL(n);
  };
  CHECK_THROWS_WITH(loop(), told);
  CHECK_THROWS_WITH(before.plan(), told);
  CHECK_THROWS_WITH(before.report(), told);
  int sum = 0;
  for (const int n : after) sum += n;
  CHECK(sum == 3);
}

TEST_CASE("a pipeline that is run inside its own node says so") {
  const On on = GENERATE(On::compute, On::blocking, On::engine);
  Pipeline p{{.name = "train", .threads = 2}};
  p.sink(p.source("numbers", slots(2), three), {.name = "again", .on = on}, [&](int) { p.run(); });
  const char* const told =
      "again: pipeline 'train': run() while it runs, in a stage of its own or in another thread; "
      "what a stage runs must be another pipeline";
  CHECK_THROWS_WITH(p.run(), told);
  CHECK_THROWS_WITH(p.run(), told);  // not for ever
}

TEST_CASE("stages are not added to a pipeline that runs") {
  Pipeline p{{.name = "train"}};
  auto numbers = p.source("numbers", slots(2), three);
  p.sink(numbers, "more", [&](int) { p.sink(numbers, "late", [](int) {}); });
  CHECK_THROWS_WITH(p.run(), "more: pipeline 'train': it runs; stages and pools are added before");
}

TEST_CASE("items that wait are counted in plain words") {
  const int items = GENERATE(1, 2);
  Pipeline p{{.threads = 2}};
  auto pool = p.pool<int>("slot", 1, [] { return 0; });
  std::vector<Lease<int>> kept;
  auto numbers = p.source("numbers", slots(4), count_to(items + 1));
  p.sink(p.with(numbers, "slot", pool), "keep",
         [&](const With<int, int>& with) { kept.push_back(with.slot); });
  CHECK_THROWS_WITH(p.run(), Contains(items == 1 ? "slot: 1 item waits for a slot of pool 'slot'"
                                                 : "slot: 2 items wait for a slot of pool 'slot'"));
}

TEST_CASE("a source whose only slot is kept outside is told in the singular") {
  Pipeline p{{.threads = 2}};
  auto pool = p.pool<int>("slot", 1, [] { return 0; });
  std::vector<Lease<int>> kept;
  auto leases = p.source("list", pool, [](Lease<int> slot, Emit<Lease<int>>& emit) {
    emit(slot);
    return true;
  });
  p.sink(leases, "keep", [&](const Lease<int>& lease) { kept.push_back(lease); });
  CHECK_THROWS_WITH(p.run(), Contains("the slot of pool 'slot' is held by leases kept outside"));
}

TEST_CASE("functions are nodes and sources, and a name is a stage") {
  Pipeline p{{.threads = 2}};
  auto pool = p.pool<int>("slot", 1, [] { return 0; });
  auto numbers = p.then(p.source("three", slots(2), three), std::string("double"), doubled);
  auto sevens =
      p.then(p.source("fill", pool, fill), "seven", [](const Lease<int>& slot) { return *slot; });
  std::vector<std::pair<int, int>> seen;
  p.sink(p.join("pair", numbers, sevens), "collect", [&](const std::tuple<int, int>& both) {
    seen.emplace_back(std::get<0>(both), std::get<1>(both));
  });
  p.sink(p.source("nothing", slots(1), nothing), std::string_view("none"), [](int) {});
  p.run();
  CHECK(seen == std::vector<std::pair<int, int>>{{0, 7}});
}

TEST_CASE("a generator can be looped over, and throws where the value would come") {
  std::vector<int> seen;
  for (const int n : three({})) seen.push_back(n);
  CHECK(seen == std::vector<int>{0, 1, 2});
  const auto failing = []() -> Generator<std::unique_ptr<int>> {
    co_yield std::make_unique<int>(1);
    throw Error("line 2: not a number");
  };
  int sum = 0;
  const auto loop = [&] {
    for (const std::unique_ptr<int>& n : failing()) sum += *n;
  };
  CHECK_THROWS_WITH(loop(), "line 2: not a number");
  CHECK(sum == 1);
}

TEST_CASE("a stop request ends the loop over a range, which says so") {
  std::stop_source stop;
  Pipeline p{{.threads = 2}};
  Range<int> range =
      p.range(p.source("count", slots(3), count_to(1'000'000'000)), stop.get_token());
  int last = -1;
  for (const int n : range) {
    CHECK(n == last + 1);
    last = n;
    if (n == 20) stop.request_stop();
  }
  CHECK(last >= 20);
  CHECK(last <= 21);  // one may have been on offer
  CHECK(range.report().stopped);
}

TEST_CASE("a stop that was requested before a range begins gives it no item") {
  std::stop_source stop;
  stop.request_stop();
  Pipeline p;
  Range<int> range = p.range(p.source("count", slots(3), count_to(100)), stop.get_token());
  for (const int n : range) FAIL(n);
  CHECK(range.report().stopped);
}

TEST_CASE("a range that came to its end was not stopped, though its token lives on") {
  std::stop_source stop;
  Pipeline p;
  Range<int> range = p.range(p.source("count", slots(3), count_to(10)), stop.get_token());
  int items = 0;
  for (const int n : range) items += n >= 0 ? 1 : 0;
  CHECK(items == 10);
  CHECK_FALSE(p.last_report().stopped);
}
