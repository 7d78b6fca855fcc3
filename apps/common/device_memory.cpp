#include "apps/common/device_memory.h"

#include "apps/common/gpu.h"

#include <millrace/training/device_memory.h>

namespace millrace::apps {

void check_evaluation_memory(const OnePass& pass) {
  const nn::Engine& engine = pass.engine();
  const nn::CompileOptions& compile = pass.compile_options();
  const auto charge_batches = [](DeviceMemoryPlan& plan, const DeviceBatchFactory& batches) {
    plan.charge("device batches", kDeviceBatches, batches.device_bytes());
  };
  DeviceMemoryPlan plan(engine);
  charge_model(plan, pass.executor().memory());
  charge_batches(plan, pass.device_batches());
  const auto fits = [&](std::int64_t batch) {
    nn::CompileOptions smaller = compile;
    smaller.batch = batch;
    smaller.other_batches.clear();
    DeviceBatchFactory batches = pass.device_batches();
    batches.capacity = batch;
    DeviceMemoryPlan other(engine);
    charge_model(other, planned_gpu_memory(pass.model(), smaller, engine.precision()));
    charge_batches(other, batches);
    return other.fits();
  };
  plan.check([&] { return largest_that_fits(compile.batch, fits); });
}

}  // namespace millrace::apps
