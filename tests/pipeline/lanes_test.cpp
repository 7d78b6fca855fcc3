// Several threads of the engine: Stage::lane.

#include "catch.h"
#include "pipeline/count_to.h"

#include <millrace/pipeline/pipeline.h>

#include <barrier>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <thread>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

TEST_CASE("stages of two engine lanes work beside each other, those of one lane do not") {
  Pipeline p{{.threads = 1}};
  std::barrier meet(2);
  std::set<std::thread::id> first, second;
  const auto work = [&](std::set<std::thread::id>& threads) {
    return [&](int n) {
      threads.insert(std::this_thread::get_id());
      meet.arrive_and_wait();  // goes on only with the other lane
      return n;
    };
  };
  const auto note = [](std::set<std::thread::id>& threads) {
    return [&](int) { threads.insert(std::this_thread::get_id()); };
  };
  auto numbers = p.source("count", slots(4), count_to(50));
  auto a = p.then(numbers, {.name = "a", .on = On::engine, .lane = "a"}, work(first));
  auto b = p.then(numbers, {.name = "b", .on = On::engine, .lane = "b"}, work(second));
  p.sink(a, {.name = "after a", .on = On::engine, .lane = "a"}, note(first));
  p.sink(b, {.name = "after b", .on = On::engine, .lane = "b"}, note(second));
  p.run();
  CHECK(first.size() == 1);
  CHECK(second.size() == 1);
  CHECK(first != second);
}

TEST_CASE("a stage of another lane does not hold up its input") {
  Pipeline p{{.threads = 2}};
  std::set<std::thread::id> threads;
  auto numbers = p.source("count", slots(4), count_to(100));
  auto stepped = p.then(numbers, {.name = "step", .on = On::engine}, [&](int n) {
    threads.insert(std::this_thread::get_id());
    return n;
  });
  std::vector<int> seen, expected;
  p.sink(stepped, {.name = "other", .on = On::engine, .lane = "b"}, [&](int n) {
    CHECK(threads.count(std::this_thread::get_id()) == 0);
    seen.push_back(n);
  });
  p.run();
  for (int i = 0; i < 100; ++i) expected.push_back(i);
  CHECK(seen == expected);
}

TEST_CASE("the plan and the trace name the engine's lanes") {
  const std::filesystem::path file = std::filesystem::path(MILLRACE_SCRATCH) / "lanes.json";
  std::filesystem::create_directories(file.parent_path());
  Pipeline p{{.name = "two", .trace = file}};
  auto numbers = p.source("count", slots(4), count_to(5));
  p.sink(numbers, {.name = "a", .on = On::engine}, [](int) {});
  p.sink(numbers, {.name = "b", .on = On::engine, .lane = "second"}, [](int) {});
  const std::string plan = p.plan().text();
  CHECK_THAT(plan, Contains("the engine's thread, from count"));
  CHECK_THAT(plan, Contains("the engine's thread 'second', from count"));
  p.run();
  std::ifstream in(file);
  const std::string trace{std::istreambuf_iterator<char>(in), {}};
  CHECK_THAT(trace, Contains(R"("name":"thread_name","ph":"M","pid":1,"tid":)"));
  CHECK_THAT(trace, Contains(R"("args":{"name":"engine"}})"));
  CHECK_THAT(trace, Contains(R"("args":{"name":"engine 'second'"}})"));
}

TEST_CASE("a lane is one of the engine's threads") {
  Pipeline p;
  auto numbers = p.source("count", slots(4), count_to(0));
  CHECK_THROWS_WITH(p.sink(numbers, {.name = "a", .on = On::blocking, .lane = "x"}, [](int) {}),
                    "stage 'a': the lane 'x' is a thread of the engine; set .on = On::engine too");
}
