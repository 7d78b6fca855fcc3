// Where a source begins, and where a run that ended early goes on.

#include "catch.h"

#include <millrace/pipeline/range.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

using namespace millrace;

namespace {

constexpr int kItems = 60;

/// 0 to 59, from where it is told.
Generator<int> numbers(Position from) {
  for (int i = static_cast<int>(from.items); i < kItems; ++i) co_yield i;
}

std::vector<int> all_numbers() {
  std::vector<int> all;
  for (int i = 0; i < kItems; ++i) all.push_back(i);
  return all;
}

using Use = std::function<void(int)>;

/// A way for items to their end, where they are used in order.
struct Way {
  const char* name;
  std::function<void(Pipeline&, Stream<int>, Use)> end;
};

const std::vector<Way>& ways() {
  static const std::vector<Way> all = {
      {"a sink", [](Pipeline& p, Stream<int> in, Use use) { p.sink(in, "end", use); }},
      {"stages that work on several items",
       [](Pipeline& p, Stream<int> in, Use use) {
         auto out = p.then(in, {.name = "work", .concurrency = 3}, [](int n) { return n; });
         p.sink(out, {.name = "end", .on = On::blocking}, use);
       }},
      {"slots, work elsewhere and groups",
       [](Pipeline& p, Stream<int> in, Use use) {
         auto pool = p.pool<int>("device", 2, [] { return 0; });
         auto with = p.with(in, "slot", pool);
         auto begun = p.then(with, "copy", [](const With<int, int>& item) {
           return Pending<int>{item.item, Completion::done()};
         });
         p.sink(p.gather(begun), {.name = "end", .on = On::engine},
                [use](const Group<int>& group) { use(group.items.at(0)); });
       }},
      {"a join of branches",
       [](Pipeline& p, Stream<int> in, Use use) {
         auto twice = p.then(in, {.name = "twice", .concurrency = 2}, [](int n) { return 2 * n; });
         p.sink(p.join("pair", twice, in), "end",
                [use](const std::tuple<int, int>& pair) { use(std::get<1>(pair)); });
       }},
      {"two engine stages, one after the other",
       [](Pipeline& p, Stream<int> in, Use use) {
         auto step = p.then(in, {.name = "step", .on = On::engine}, [](int n) { return n; });
         p.sink(step, {.name = "end", .on = On::engine}, use);
       }},
  };
  return all;
}

}  // namespace

TEST_CASE("a factory is told where its source begins") {
  Pipeline p;
  std::vector<int> seen;
  p.sink(p.source("numbers", slots(3, Position{57}), numbers), "collect",
         [&](int n) { seen.push_back(n); });
  const Report report = p.run();
  CHECK(seen == std::vector<int>{57, 58, 59});
  CHECK(report.stage("numbers").emitted == 3);
  CHECK(report.stage("numbers").next->items == kItems);
  CHECK_FALSE(report.stage("collect").next);
}

TEST_CASE("a source that cannot be told where it begins is refused") {
  Pipeline p;
  const Slots bound = slots(3, Position{1000});
  const char* const told =
      "stage 'numbers': it cannot begin at item 1000, since its source has no position; give a "
      "factory, make(Position)";
  CHECK_THROWS_WITH(p.source("numbers", bound, [] { return std::optional<int>(); }), told);
  CHECK_THROWS_WITH(p.source("numbers", bound, numbers({})), told);
}

TEST_CASE("a run that was stopped says where to go on, with the same items in all") {
  const auto way = GENERATE(from_range(ways()));
  const int last = GENERATE(0, 1, 5, 30, kItems - 2, kItems - 1);
  INFO(way.name << ", stopped in item " << last);
  std::vector<int> seen;
  std::stop_source stop;
  Pipeline first{{.threads = 2}};
  way.end(first, first.source("numbers", slots(5), numbers), [&](int n) {
    seen.push_back(n);
    if (n == last) stop.request_stop();
  });
  const Report report = first.run(stop.get_token());
  CHECK(report.stopped);
  const StageReport& source = report.stage("numbers");
  CHECK(source.next->items == seen.size());
  CHECK(source.emitted >= source.next->items);
  CHECK(report.text().find(concat("to resume: numbers from item ", seen.size(), '\n')) !=
        std::string::npos);
  CHECK(report.json().find(concat("\"next\":", seen.size(), '}')) != std::string::npos);

  Pipeline second{{.threads = 2}};
  way.end(second, second.source("numbers", slots(5, *source.next), numbers),
          [&](int n) { seen.push_back(n); });
  CHECK(second.run().stage("numbers").next->items == kItems);
  CHECK(seen == all_numbers());
}

TEST_CASE("a run that failed says where to go on, with the same items in all") {
  const auto way = GENERATE(from_range(ways()));
  const int bad = GENERATE(0, 7, kItems - 1);
  INFO(way.name << ", failed in item " << bad);
  std::vector<int> seen;
  Pipeline first{{.threads = 2}};
  way.end(first, first.source("numbers", slots(5), numbers), [&](int n) {
    if (n == bad) throw Error("the disk is full");
    seen.push_back(n);
  });
  CHECK_THROWS_AS(first.run(), StageError);
  const Position next = *first.last_report().stage("numbers").next;
  CHECK(next.items == static_cast<std::uint64_t>(bad));

  Pipeline second{{.threads = 2}};
  way.end(second, second.source("numbers", slots(5, next), numbers),
          [&](int n) { seen.push_back(n); });
  second.run();
  CHECK(seen == all_numbers());
}

TEST_CASE("a loop that was left says where to go on, with the same items in all") {
  const int last = GENERATE(0, 1, 5, 30, kItems - 1);
  std::vector<int> seen;
  std::uint64_t next = 0;
  for (const bool breaks : {true, false}) {
    Pipeline p{{.threads = 2}};
    auto stream = p.source("numbers", slots(5, Position{next}), numbers);
    Range<int> range =
        p.range(p.then(stream, {.name = "work", .concurrency = 2}, [](int n) { return n; }));
    for (const int n : range) {
      seen.push_back(n);
      if (breaks && n == last) break;
    }
    next = range.report().stage("numbers").next->items;
    CHECK(next == seen.size());
  }
  CHECK(seen == all_numbers());
}

TEST_CASE("a stop from outside ends a loop, and the report says where to go on") {
  std::stop_source stop;
  Pipeline p{{.threads = 2}};
  Range<int> range = p.range(p.source("numbers", slots(5), numbers), stop.get_token());
  std::size_t seen = 0;
  for (const int n : range) {
    ++seen;
    if (n == 20) stop.request_stop();
  }
  CHECK(seen == 21);
  CHECK(range.report().stage("numbers").next->items == seen);
}

TEST_CASE("a source that throws goes on behind what it gave") {
  Pipeline p;
  p.sink(p.source("numbers", slots(2),
                  [](Position) -> Generator<int> {
                    for (int i = 0; i < 3; ++i) co_yield i;
                    throw Error("line 4: not a number");
                  }),
         "drop", [](int) {});
  CHECK_THROWS_WITH(p.run(), "numbers: line 4: not a number");
  const StageReport& source = p.last_report().stage("numbers");
  CHECK(source.emitted == 3);
  CHECK(source.next->items <= 3);  // what was under way then did not go the whole way
}

TEST_CASE("what is skipped has gone the whole way, and none of two branches loses an item") {
  std::vector<bool> left(kItems, false), right(kItems, false);
  std::uint64_t next = 0;
  for (const int last : {17, kItems}) {
    std::stop_source stop;
    Pipeline p{{.threads = 2}};
    auto stream = p.source("numbers", slots(6, Position{next}), numbers);
    auto odd = p.then(stream, {.name = "odd", .concurrency = 2, .on_error = skip()}, [](int n) {
      if (n % 2 == 0) throw Error("even");
      return n;
    });
    p.sink(odd, {.name = "left", .concurrency = 2}, [&](int n) {
      left[static_cast<std::size_t>(n)] = true;
      if (n == last) stop.request_stop();
    });
    p.sink(stream, {.name = "right", .order = Order::any},
           [&](int n) { right[static_cast<std::size_t>(n)] = true; });
    next = p.run(stop.get_token()).stage("numbers").next->items;
  }
  CHECK(next == kItems);
  for (int i = 0; i < kItems; ++i) {
    CHECK(left[static_cast<std::size_t>(i)] == (i % 2 != 0));
    CHECK(right[static_cast<std::size_t>(i)]);
  }
}

TEST_CASE("of joined sources each says where to go on, the longer one too") {
  Pipeline p{{.threads = 2}};
  auto longer = p.source("longer", slots(4), numbers);
  auto shorter = p.source("shorter", slots(2, Position{50}), numbers);
  int pairs = 0;
  p.sink(p.join("pair", longer, shorter), "count", [&](const std::tuple<int, int>&) { ++pairs; });
  const Report report = p.run();
  CHECK(pairs == 10);
  CHECK(report.stage("longer").next->items == 10);
  CHECK(report.stage("shorter").next->items == kItems);
  CHECK(report.stage("longer").emitted >= 10);
}

TEST_CASE("items that can never get a slot are behind where to go on") {
  Pipeline p{{.threads = 2}};
  auto pool = p.pool<int>("slot", 2, [] { return 0; });
  std::vector<Lease<int>> kept;
  p.sink(p.with(p.source("numbers", slots(4), numbers), "slot", pool), "keep",
         [&](const With<int, int>& item) { kept.push_back(item.slot); });
  CHECK_THROWS_AS(p.run(), StageError);
  CHECK(p.last_report().stage("numbers").next->items == 2);
}

TEST_CASE("a source over a pool says how many items came out") {
  Pipeline p;
  auto pool = p.pool<int>("slot", 2, [] { return 0; });
  auto pairs = p.source("pairs", pool, [i = 0](Lease<int>, Emit<int>& emit) mutable {
    emit(i);
    emit(i);
    return ++i < 10;
  });
  p.sink(pairs, "drop", [](int) {});
  const Report report = p.run();
  CHECK(report.stage("pairs").emitted == 20);
  CHECK(report.stage("pairs").items == 10);
  CHECK_FALSE(report.stage("pairs").next);
  CHECK(report.json().find("\"emitted\":20}") != std::string::npos);
}
