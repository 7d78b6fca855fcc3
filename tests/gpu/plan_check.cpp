#include "gpu/plan_check.h"

#include <millrace/core/error.h>
#include <millrace/gpu/cuda/cudnn_plans.h>

#include <nlohmann/json.hpp>

namespace millrace::gpu {
namespace {

/// 90 for "deviceVer": 900.
int capability_in(const std::string& device_json) {
  const auto json = nlohmann::json::parse(device_json, nullptr, false);
  const auto version = json.is_object() ? json.find("deviceVer") : json.end();
  if (version == json.end() || !version->is_number_integer()) {
    throw Error("the description of a device must be a JSON object with an integer deviceVer");
  }
  return version->get<int>() / 10;
}

}  // namespace

PlanReport check_plan(const Convolution& convolution, const std::string& device_json,
                      Bytes workspace) {
  const auto cudnn = Cudnn::for_description(device_json, capability_in(device_json));
  const auto plans = cudnn->plans(convolution, workspace, 1);
  PlanReport report;
  if (plans.empty()) return report;
  const CudnnPlan& plan = *plans.front();
  report.exists = true;
  report.plan = plan.implementation();
  report.tensor_cores = plan.tensor_cores();
  report.deterministic = plan.deterministic();
  report.compiled_at_run_time = plan.compiled_at_run_time();
  report.workspace = plan.workspace();
  report.serialized = {plan.serialized().size()};
  return report;
}

}  // namespace millrace::gpu
