#include "catch.h"
#include "pipeline/count_to.h"

#include <millrace/pipeline/pipeline.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <thread>

using namespace millrace;
using namespace millrace::test;

namespace {

std::chrono::nanoseconds since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::steady_clock::now() - begin;
}

void work_for(std::chrono::nanoseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

/// 200 items through a stage that takes 20 us and one that takes 200 us, and takes as long for the
/// last one as all before it took, so that it sets the pace however long others wait for a core.
/// While it works on item 100 everything else waits, for 50 ms.
Pipeline slow_second(const std::filesystem::path& trace = {}) {
  Pipeline p{{.name = "slow", .threads = 2, .trace = trace}};
  auto made = std::make_shared<std::atomic<int>>(0);
  auto numbers = p.source({.name = "count"}, slots(4), [made]() {
    return *made < 200 ? std::optional<int>((*made)++) : std::nullopt;
  });
  auto first = p.then(numbers, {.name = "quick"}, [](int n) {
    work_for(std::chrono::microseconds(20));
    return n;
  });
  const auto begin = std::chrono::steady_clock::now();
  p.sink(first, {.name = "slow", .on = On::engine}, [made, begin](int n) {
    work_for(std::chrono::microseconds(200));
    if (n == 199) work_for(since(begin));
    if (n != 100) return;
    while (*made < 104) std::this_thread::yield();  // all slots are taken
    work_for(std::chrono::milliseconds(50));
  });
  return p;
}

}  // namespace

TEST_CASE("the report names the stage that sets the pace") {
  Pipeline p = slow_second();
  const Report report = p.run();
  CHECK(report.bottleneck() == "slow");
  const StageReport& slow = report.stage("slow");
  CHECK(slow.items == 200);
  CHECK(slow.busy_s >= 200 * 200e-6);
  CHECK(slow.p50_ms >= 0.19);
  CHECK(slow.p50_ms <= slow.p99_ms);
  CHECK(slow.p99_ms <= slow.max_ms);
  CHECK(slow.busy_s + slow.starved_s <= report.wall_s * 1.001);
  CHECK(report.stage("count").blocked_s > 0.025);
  CHECK(report.stage("quick").starved_s > 0.025);
}

TEST_CASE("the report's JSON escapes names") {
  Report report;
  report.name = "a \"b\"\n";
  report.stages.push_back({.name = "s", .kind = "then"});
  CHECK(report.json().find("{\"name\":\"a \\\"b\\\"\\n\"") == 0);
}

TEST_CASE("remarks stand in the report's text and JSON, a line each") {
  Report report;
  report.remarks = {"measured on a \"quiet\" machine", "twice"};
  CHECK(report.text().find("\nmeasured on a \"quiet\" machine\ntwice\n") != std::string::npos);
  CHECK(report.json().find("\"remarks\":[\"measured on a \\\"quiet\\\" machine\",\"twice\"]") !=
        std::string::npos);
  CHECK(Report{}.json().find("\"remarks\":[]") != std::string::npos);
}

TEST_CASE("the trace holds an event for every item and stage") {
  const std::filesystem::path scratch = MILLRACE_SCRATCH;
  std::filesystem::create_directories(scratch);
  const std::filesystem::path file = scratch / "report_test.trace.json";
  std::filesystem::remove(file);
  Pipeline p = slow_second(file);
  p.run();
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  const std::string json = text.str();
  CHECK(json.rfind("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[", 0) == 0);
  std::size_t events = 0;
  for (std::size_t at = json.find("\"name\":\"slow\",\"ph\":\"X\""); at != std::string::npos;
       at = json.find("\"name\":\"slow\",\"ph\":\"X\"", at + 1)) {
    ++events;
  }
  CHECK(events == 200);
  CHECK(p.plan().charges.front().name == "trace");
}

TEST_CASE("a watcher is told when each body begins and ends") {
  struct Count : StageWatch {
    std::atomic<int> begun{0}, ended{0};
    void begin(const std::string& stage) noexcept override { begun += stage == "first" ? 1 : 0; }
    void end() noexcept override { ++ended; }
  };
  const auto watch = std::make_shared<Count>();
  Pipeline p{{.threads = 2, .watch = watch}};
  auto numbers = p.source({.name = "count"}, slots(4), count_to(10));
  auto first = p.then(numbers, {.name = "first", .on_error = skip()}, [](int n) {
    if (n == 5) throw Error("bad");
    return n;
  });
  p.sink(first, {.name = "drop"}, [](int) {});
  p.run();
  CHECK(watch->begun == 10);
  CHECK(watch->ended == 11 + 10 + 9);  // the source is asked once more, at its end
}
