#include "apps/common/engine_choice.h"

#include "apps/common/gpu.h"
#include "apps/common/machine.h"

#include <millrace/core/cache_folder.h>
#include <millrace/core/error.h>
#include <millrace/cpu/engine.h>
#include <millrace/training/resolve.h>

#include <utility>

namespace millrace::apps {
namespace {

std::unique_ptr<nn::Engine> cpu_engine(const EngineChoice& o) {
  cpu::EngineOptions options{.threads = o.machine.compute_threads};
  if (o.timed) {
    const std::filesystem::path cache = cache_folder();
    options.algorithms = cpu::Algorithms::fastest;
    options.timings = {cache.empty() ? cache : cache / "onednn-timings.json", o.choices,
                       o.choices_alone};
    options.on_timing = o.on_timing;
    // The rest is for batches, the index and what is written to disk.
    if (o.machine.memory_budget) options.memory_limit = *o.machine.memory_budget;
    options.memory_limit -= Bytes{options.memory_limit.count / 4};
  }
  return cpu::make_engine(std::move(options));
}

}  // namespace

EngineChoice timed(const MachineSpec& machine, const SessionWatch& watch,
                   std::filesystem::path choices) {
  return {.machine = machine,
          .timed = true,
          .choices = std::move(choices),
          .on_timing = [work = watch.of_work("finding the fastest algorithms", "operations")](
                           std::uint64_t count) { work.at(count); }};
}

std::shared_ptr<const nn::Engine> engine_for(const EngineChoice& o) {
  const nn::Precision precision = o.machine.precision.value_or(nn::Precision::fp32);
  if (o.machine.device == Device::gpu) {
    try {
      return gpu_engine(precision, o.machine.loss_scale.value_or(nn::LossScaleOptions::keras()));
    } catch (const UsageError&) {
      throw;
    } catch (const Error& error) {
      throw Error(concat("--device gpu: ", error.what(), "; or use --device cpu"));
    }
  }
  if (precision != nn::Precision::fp32) {
    throw UsageError(concat("--precision ", nn::to_string(precision),
                            ": the CPU computes in fp32; leave it out, or use --device gpu"));
  }
  return cpu_engine(o);
}

Device chosen_device(Device device) {
  if (device != Device::automatic) return device;
  return find_gpus().devices.empty() ? Device::cpu : Device::gpu;
}

void choose(MachineSpec& machine) {
  machine.device = chosen_device(machine.device);
  resolve(machine);
}

}  // namespace millrace::apps
