#pragma once
// What this machine offers: memory limits and devices.

#include <millrace/core/bytes.h>
#include <millrace/nn/engine.h>

#include <memory>
#include <string>

namespace millrace::apps {

/// The memory that this process may use: the smaller of the machine's and its cgroup's.
[[nodiscard]] Bytes memory_limit();

/// What to compute with.
struct EngineChoice {
  std::string device = "cpu";  ///< cpu or gpu
  int compute_threads = 0;     ///< of the CPU; 0: the cores one may use
  std::string precision{};     ///< fp32, tf32, fp16 or bf16; empty: fp32
  std::string loss_scale{};    ///< of fp16: keras, torch or the scale to begin with; empty: keras
};
/// Throws UsageError, with the command's name, for a word that is none of these and for options
/// that do not go together. Asks no device.
void check(const char* command, const EngineChoice& choice);
/// Throws Error where there is no such device, and where it does not compute in this precision;
/// never falls back from one that was asked for.
[[nodiscard]] std::shared_ptr<const nn::Engine> engine_for(const EngineChoice& choice);

/// "cpu" or "gpu" for "auto": a GPU where there is one to use.
[[nodiscard]] std::string chosen_device(const std::string& device);

/// The name of the processor, as the system tells it.
[[nodiscard]] std::string cpu_name();

/// Most memory that the process has had resident so far.
[[nodiscard]] Bytes peak_memory();

}  // namespace millrace::apps
