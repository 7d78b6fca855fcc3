#include "apps/engine_choice.h"

#include "apps/gpu.h"
#include "apps/machine.h"

#include <millrace/core/error.h>
#include <millrace/cpu/engine.h>

#include <charconv>
#include <cmath>
#include <utility>

namespace millrace::apps {
namespace {

/// How a loss scale is written on the command line.
nn::LossScaleOptions loss_scale_of(const std::string& text) {
  if (text.empty() || text == "keras") return nn::LossScaleOptions::keras();
  if (text == "torch") return nn::LossScaleOptions::torch();
  nn::LossScaleOptions options;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, options.initial);
  if (read.ec != std::errc{} || read.ptr != end || !std::isfinite(options.initial) ||
      options.initial <= 0) {
    throw UsageError(
        concat("--loss-scale must be keras, torch or a number above 0, not '", text, "'"));
  }
  return options;
}

nn::Precision precision_of(const std::string& text) {
  return text.empty() ? nn::Precision::fp32 : nn::precision_named(text);
}

std::unique_ptr<nn::Engine> cpu_engine(const EngineChoice& o) {
  cpu::EngineOptions options{.threads = o.compute_threads};
  if (o.timed) {
    const std::filesystem::path cache = cache_folder();
    options.algorithms = cpu::Algorithms::fastest;
    options.timings = {cache.empty() ? cache : cache / "onednn-timings.json", o.choices};
    options.on_timing = o.on_timing;
    // The rest is for batches, the index and what is written to disk.
    if (!o.memory_budget.empty()) options.memory_limit = parse_bytes(o.memory_budget);
    options.memory_limit -= Bytes{options.memory_limit.count / 4};
  }
  return cpu::make_engine(std::move(options));
}

}  // namespace

void check(const char* command, const EngineChoice& o) {
  const auto refuse = [command](const auto&... what) {
    throw UsageError(concat(command, ": ", what...));
  };
  if (o.device != "auto" && o.device != "cpu" && o.device != "gpu") {
    refuse("--device must be auto, cpu or gpu, not ", o.device);
  }
  if (o.compute_threads < 0) {
    refuse("--compute-threads must be 0 or more, not ", o.compute_threads);
  }
  try {
    const nn::Precision precision = precision_of(o.precision);
    (void)loss_scale_of(o.loss_scale);
    if (!o.loss_scale.empty() && precision != nn::Precision::fp16) {
      throw UsageError("--loss-scale goes with --precision fp16; leave it out");
    }
  } catch (const UsageError& error) {
    refuse(error.what());
  }
}

std::shared_ptr<const nn::Engine> engine_for(const EngineChoice& o) {
  const nn::Precision precision = precision_of(o.precision);
  if (o.device == "gpu") {
    try {
      return gpu_engine(precision, loss_scale_of(o.loss_scale));
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

std::string chosen_device(const std::string& device) {
  if (device != "auto") return device;
  return find_gpus().devices.empty() ? "cpu" : "gpu";
}

}  // namespace millrace::apps
