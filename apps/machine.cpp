#include "apps/machine.h"

#include "apps/gpu.h"

#include <millrace/core/error.h>
#include <millrace/cpu/engine.h>

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

namespace millrace::apps {
namespace {

/// A number in a file of the kernel's, or 0 ("max", no such file).
std::uint64_t number_in(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  file >> number;
  return file ? number : 0;
}

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

Bytes memory_limit() {
  const auto pages = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES));
  std::uint64_t limit = pages * static_cast<std::uint64_t>(sysconf(_SC_PAGE_SIZE));
  // The limits of the process's own group and of all above it (cgroup version 2).
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    if (line.rfind("0::/", 0) != 0) continue;
    std::filesystem::path group = line.substr(4);
    for (;; group = group.parent_path()) {
      const std::uint64_t granted = number_in("/sys/fs/cgroup" / group / "memory.max");
      if (granted > 0) limit = std::min(limit, granted);
      if (group.empty()) break;
    }
  }
  const std::uint64_t granted = number_in("/sys/fs/cgroup/memory/memory.limit_in_bytes");
  if (granted > 0) limit = std::min(limit, granted);
  return {limit};
}

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

std::filesystem::path cache_folder() {
  const auto folder = [](const char* variable) -> std::filesystem::path {
    const char* const value = std::getenv(variable);
    return value == nullptr ? "" : value;
  };
  std::filesystem::path cache = folder("XDG_CACHE_HOME");
  if (!cache.is_absolute()) {
    if (folder("HOME").empty()) return {};
    cache = folder("HOME") / ".cache";
  }
  return cache / "millrace";
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

Bytes peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return {static_cast<std::uint64_t>(usage.ru_maxrss) << 10};
}

}  // namespace millrace::apps
