#include "apps/common/gpu.h"

#include "apps/common/machine.h"

#include <millrace/core/cache_folder.h>
#include <millrace/core/error.h>
#include <millrace/gpu/cuda/cuda_device.h>
#include <millrace/gpu/cuda/libraries.h>
#include <millrace/gpu/engine.h>
#include <millrace/gpu/memory_plan.h>

#include <filesystem>

namespace millrace::apps {
namespace {

std::filesystem::path plan_cache() {
  const std::filesystem::path cache = cache_folder();
  return cache.empty() ? cache : cache / "cudnn-plans.json";
}

std::string describe(const gpu::DeviceFacts& facts) {
  return concat(facts.name, ", capability ", facts.capability / 10, '.', facts.capability % 10,
                ", ", facts.multiprocessors, " multiprocessors, ", facts.memory);
}

}  // namespace

FoundGpus find_gpus() {
  gpu::Probe probe = gpu::probe();
  FoundGpus found{.why_none = std::move(probe.why_none)};
  for (const gpu::DeviceFacts& facts : probe.devices) found.devices.push_back(describe(facts));
  if (!probe.devices.empty()) {
    const gpu::DeviceFacts& facts = probe.devices.front();
    found.libraries = concat("driver ", facts.driver, ", CUDA ", facts.cuda, ", cuDNN ",
                             facts.cudnn, ", cuBLAS ", facts.cublas);
  }
  found.paths = gpu::open_libraries();
  return found;
}

std::shared_ptr<const nn::Engine> gpu_engine(nn::Precision precision,
                                             const nn::LossScaleOptions& loss_scale) {
  return gpu::make_engine(gpu::open_device({.plan_cache = plan_cache()}),
                          {.precision = precision, .loss_scale = loss_scale});
}

std::vector<nn::MemoryLine> planned_gpu_memory(const nn::Model& model,
                                               const nn::CompileOptions& options,
                                               nn::Precision precision) {
  return gpu::plan_memory(model, options, precision);
}

}  // namespace millrace::apps
