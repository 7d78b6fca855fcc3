#include "catch.h"

#include <millrace/core/error.h>
#include <millrace/gpu/activity.h>
#include <millrace/gpu/cuda/cuda_device.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

using namespace millrace;
using namespace millrace::gpu;
using Catch::Contains;
using Kind = Activity::Kind;

namespace {

// Milliseconds since an origin that is not the clock's.
Activity::Clock::time_point at(int ms) {
  return Activity::Clock::time_point(std::chrono::hours(1)) + std::chrono::milliseconds(ms);
}

Activity made(Kind kind, std::string_view name, std::uint32_t stream, int begin, int end,
              std::uint64_t bytes = 0) {
  return {kind, name, stream, at(begin), at(end), bytes};
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::filesystem::path written(const char* name, std::string_view text) {
  std::filesystem::create_directories(MILLRACE_SCRATCH);
  const auto path = std::filesystem::path(MILLRACE_SCRATCH) / name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

}  // namespace

TEST_CASE("Activity is summed up: what runs at the same time counts once") {
  // ms:      0    10   20   30   40   50   60   70   80   90  100
  // copy:    |aaaaaaaaa|         |bbbb|
  // compute:      |cccccccccccccc|              |dddd|
  // compute:           |eeee|
  const std::vector<Activity> activities{
      made(Kind::to_device, "a", 7, 0, 20, 1000),  made(Kind::kernel, "conv", 13, 10, 40),
      made(Kind::kernel, "relu", 14, 20, 30),      made(Kind::to_host, "b", 7, 40, 50, 24),
      made(Kind::graph, "graph 1", 13, 70, 80),    made(Kind::kernel, "relu", 13, 80, 81),
      made(Kind::on_device, "f", 13, 81, 82, 512), made(Kind::fill, "fill", 13, 82, 84, 99)};
  const ActivitySummary sum = summarize(activities, at(0), at(100));
  CHECK(sum.span_s == Approx(0.100));
  CHECK(sum.busy_s == Approx(0.064));
  CHECK(sum.idle_s() == Approx(0.036));
  CHECK(sum.busy() == Approx(0.64));
  CHECK(sum.compute_s == Approx(0.043));
  CHECK(sum.copy_s == Approx(0.031));
  CHECK(sum.overlap_s == Approx(0.010));
  CHECK(sum.overlap() == Approx(10.0 / 31));
  CHECK(sum.to_device == Bytes{1000});
  CHECK(sum.to_host == Bytes{24});
  CHECK(sum.on_device == Bytes{512});
  CHECK(sum.kernels == 3);
  CHECK(sum.graphs == 1);
  CHECK(sum.copies == 3);
  REQUIRE(sum.shares.size() == 3);
  CHECK(sum.shares[0].name == "conv");
  CHECK(sum.shares[0].seconds == Approx(0.030));
  CHECK(sum.shares[1].name == "relu");
  CHECK(sum.shares[1].calls == 2);
  CHECK(sum.shares[1].seconds == Approx(0.011));
  CHECK(sum.shares[2].name == "graph 1");
}

TEST_CASE("Activity counts with its part inside of the time looked at") {
  const std::vector<Activity> activities{made(Kind::kernel, "k", 1, 0, 20),
                                         made(Kind::kernel, "k", 1, 30, 40),
                                         made(Kind::to_device, "c", 2, 90, 120, 8)};
  const ActivitySummary sum = summarize(activities, at(10), at(25));
  CHECK(sum.span_s == Approx(0.015));
  CHECK(sum.busy_s == Approx(0.010));
  CHECK(sum.kernels == 1);
  CHECK(sum.copies == 0);
  CHECK(sum.overlap() == 1);
}

TEST_CASE("No activity is a device that was idle") {
  const ActivitySummary sum = summarize({}, at(0), at(50));
  CHECK(sum.busy() == 0);
  CHECK(sum.idle_s() == Approx(0.05));
  CHECK(summarize({}, at(5), at(5)).busy() == 0);
}

TEST_CASE("The summary of activity as text names the longest kernels first") {
  const std::vector<Activity> activities{made(Kind::to_device, "c", 2, 0, 20, 3 << 20),
                                         made(Kind::kernel, "relu", 1, 50, 60),
                                         made(Kind::kernel, "conv", 1, 10, 40)};
  const std::string text = to_text(summarize(activities, at(0), at(100)));
  CHECK_THAT(text, Contains("GPU busy 50 % of 0.1 s, idle 0.05 s"));
  CHECK_THAT(text, Contains("copied 3 MiB to it and 0 B from it in 0.02 s, 50 % during compute"));
  CHECK(text.find("conv") < text.find("relu"));
  CHECK_THAT(text, Contains("75 %") && Contains("30.000 ms"));
}

TEST_CASE("Activity becomes events of Chrome's trace format, a track a stream") {
  const std::vector<Activity> activities{made(Kind::kernel, "f<\"x\">", 13, 2, 5),
                                         made(Kind::to_device, "copy", 7, 3, 4, 42)};
  const auto events = nlohmann::json::parse(concat("[", trace_events(activities, at(1)), "]"));
  REQUIRE(events.size() == 5);  // the process, two tracks, two events
  CHECK(events[0]["name"] == "process_name");
  CHECK(events[0]["args"]["name"] == "GPU");
  CHECK(events[1]["args"]["name"] == "stream 13");
  CHECK(events[2]["name"] == "f<\"x\">");
  CHECK(events[2]["ph"] == "X");
  CHECK(events[2]["ts"].get<double>() == Approx(1000));
  CHECK(events[2]["dur"].get<double>() == Approx(3000));
  CHECK(events[4]["tid"] == 7);
  CHECK(events[4]["args"]["bytes"] == 42);
  for (const auto& event : events) CHECK(event["pid"] == 2);
}

TEST_CASE("Activity is added to the trace that a pipeline wrote") {
  const auto path = written("activity.trace.json",
                            "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
                            "{\"name\":\"train\",\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":0.000,"
                            "\"dur\":5.000}\n]}\n");
  add_to_trace(path, std::vector{made(Kind::kernel, "conv", 13, 2, 5)}, at(0));
  const auto trace = nlohmann::json::parse(text_of(path));
  REQUIRE(trace["traceEvents"].size() == 4);
  CHECK(trace["traceEvents"][0]["name"] == "train");
  CHECK(trace["traceEvents"][3]["name"] == "conv");
  CHECK(trace["traceEvents"][3]["pid"] == 2);
}

TEST_CASE("Activity is not added to what is no trace, which stays as it is") {
  const auto path = written("activity.no-trace.json", "{}");
  CHECK_THROWS_WITH(add_to_trace(path, {}, at(0)), Contains("is not a trace of a pipeline"));
  CHECK(text_of(path) == "{}");
  CHECK_THROWS_WITH(add_to_trace(path.string() + ".none", {}, at(0)), Contains("cannot read"));
}

TEST_CASE("Names of kernels are readable") {
  // Mangled by g++ 12 from: template <class T> __global__ void millrace::add(T*, int).
  CHECK(readable_kernel("_ZN8millrace3addIfEEvPT_i") == "millrace::add<float>");
  CHECK(readable_kernel("_ZN12_GLOBAL__N_14reluEPf") == "(anonymous namespace)::relu");
  CHECK(readable_kernel("sm90_xmma_fprop") == "sm90_xmma_fprop");
}

TEST_CASE("A recorder of activity says why it does not record, and one that saw no work is empty") {
  ActivityRecorder recorder;
  const Probe found = probe();
  if (found.devices.empty()) CHECK(recorder.why_none() == found.why_none);
  CHECK(recorder.stop().empty());
  CHECK(recorder.stop().empty());
  CHECK(recorder.lost() == 0);
}
