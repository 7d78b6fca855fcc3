#include "apps/common/gpu.h"

#include <millrace/core/error.h>

#include <filesystem>

namespace millrace::apps {

FoundGpus find_gpus() {
  if (std::filesystem::exists("/proc/driver/nvidia/version")) {
    return {
        .why_none =
            "this program was built without CUDA, although the machine has an NVIDIA driver; to "
            "build one for GPUs: cmake --preset release-gpu && cmake --build --preset "
            "release-gpu"};
  }
  return {.why_none = "this program was built without CUDA, and the machine has no NVIDIA driver"};
}

std::shared_ptr<const nn::Engine> gpu_engine(nn::Precision, const nn::LossScaleOptions&) {
  throw Error(find_gpus().why_none);
}

std::vector<nn::MemoryLine> planned_gpu_memory(const nn::Model&, const nn::CompileOptions&,
                                               nn::Precision) {
  return {};
}

std::shared_ptr<StageWatch> profiler_ranges() {
  return nullptr;
}

Bytes GpuRecording::bytes() {
  return {};
}

std::unique_ptr<GpuRecording> record_gpu() {
  return nullptr;
}

}  // namespace millrace::apps
