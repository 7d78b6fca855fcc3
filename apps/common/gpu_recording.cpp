#include "apps/common/gpu.h"

#include <millrace/core/error.h>
#include <millrace/gpu/activity.h>
#include <millrace/gpu/cuda/nvtx.h>

#include <nlohmann/json.hpp>

#include <chrono>
#include <sstream>
#include <utility>
#include <vector>

namespace millrace::apps {
namespace {

constexpr std::size_t kActivities = std::size_t{1} << 18;
constexpr std::size_t kShares = 20;  // kernels that are named in the report

class Ranges : public StageWatch {
 public:
  void begin(const std::string& stage) noexcept override { gpu::begin_range(stage.c_str()); }
  void end() noexcept override { gpu::end_range(); }
};

nlohmann::ordered_json json_of(const gpu::ActivitySummary& s) {
  nlohmann::ordered_json shares = nlohmann::ordered_json::array();
  for (const auto& share : s.shares) {
    if (shares.size() == kShares) break;
    shares.push_back({{"name", share.name}, {"calls", share.calls}, {"seconds", share.seconds}});
  }
  return {{"span_s", s.span_s},
          {"busy_s", s.busy_s},
          {"compute_s", s.compute_s},
          {"copy_s", s.copy_s},
          {"overlap_s", s.overlap_s},
          {"to_device_bytes", s.to_device.count},
          {"to_host_bytes", s.to_host.count},
          {"on_device_bytes", s.on_device.count},
          {"kernels", s.kernels},
          {"graphs", s.graphs},
          {"copies", s.copies},
          {"longest", std::move(shares)}};
}

class Recording : public GpuRecording {
 public:
  std::string finish(Report& report, const std::filesystem::path& trace) override {
    const std::vector<gpu::Activity> activities = recorder_.stop();
    if (!recorder_.why_none().empty()) {
      report.remarks.push_back(concat("the GPU's work was not recorded: ", recorder_.why_none(),
                                      "; its times below are those between events"));
      return nlohmann::ordered_json({{"not_recorded", recorder_.why_none()}}).dump();
    }
    const auto wall = std::chrono::duration_cast<gpu::Activity::Clock::duration>(
        std::chrono::duration<double>(report.wall_s));
    const gpu::ActivitySummary summary =
        gpu::summarize(activities, report.begin, report.begin + wall);
    std::istringstream lines(gpu::to_text(summary));
    for (std::string line; std::getline(lines, line);) report.remarks.push_back(line);
    nlohmann::ordered_json json = json_of(summary);
    if (recorder_.lost() > 0) {
      report.remarks.push_back(concat("the last ", recorder_.lost(),
                                      " pieces of the GPU's work did not fit into the record"));
      json["lost"] = recorder_.lost();
    }
    if (!trace.empty()) gpu::add_to_trace(trace, activities, report.begin);
    return json.dump();
  }

 private:
  gpu::ActivityRecorder recorder_{{.most = kActivities}};
};

}  // namespace

std::shared_ptr<StageWatch> profiler_ranges() {
  return std::make_shared<Ranges>();
}

Bytes GpuRecording::bytes() {
  return {kActivities * sizeof(gpu::Activity)};
}

std::unique_ptr<GpuRecording> record_gpu() {
  return std::make_unique<Recording>();
}

}  // namespace millrace::apps
