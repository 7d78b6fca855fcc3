#include "catch.h"

#include <millrace/pipeline/pipeline.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

using namespace millrace;

namespace {

void work_for(std::chrono::microseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

/// 200 items through a stage that takes 20 us and one that takes 200 us.
Pipeline slow_second(const std::filesystem::path& trace = {}) {
  Pipeline p{{.name = "slow", .threads = 2, .trace = trace}};
  auto numbers = p.source({.name = "count"}, slots(4), [i = 0]() mutable {
    return i < 200 ? std::optional<int>(i++) : std::nullopt;
  });
  auto first = p.then(numbers, {.name = "quick"}, [](int n) {
    work_for(std::chrono::microseconds(20));
    return n;
  });
  p.sink(first, {.name = "slow", .on = On::engine},
         [](int) { work_for(std::chrono::microseconds(200)); });
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
  // The source waits for slots nearly all the time.
  CHECK(report.stage("count").blocked_s > 0.5 * report.wall_s);
  CHECK(report.stage("quick").starved_s > 0.3 * report.wall_s);
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
