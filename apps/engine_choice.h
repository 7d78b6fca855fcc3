#pragma once
// With which device a command computes, and the engine on it.

#include <millrace/nn/engine.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace millrace::apps {

/// What to compute with.
struct EngineChoice {
  std::string device = "cpu";  ///< cpu or gpu
  int compute_threads = 0;     ///< of the CPU; 0: the cores one may use
  std::string precision{};     ///< fp32, tf32, fp16 or bf16; empty: fp32
  std::string loss_scale{};    ///< of fp16: keras, torch or the scale to begin with; empty: keras
  /// Of the CPU: whether algorithms are chosen by timing, with times kept in the user's cache.
  bool timed = false;
  std::string memory_budget{};      ///< then: of which fast algorithms get a part
  std::filesystem::path choices{};  ///< then: of a run that is gone on with; may be missing
  std::function<void(std::uint64_t)> on_timing{};  ///< then: cpu::EngineOptions::on_timing
};
/// Throws UsageError, with the command's name, for a word that is none of these and for options
/// that do not go together. Asks no device.
void check(const char* command, const EngineChoice& choice);
/// Throws Error where there is no such device, and where it does not compute in this precision;
/// never falls back from one that was asked for.
[[nodiscard]] std::shared_ptr<const nn::Engine> engine_for(const EngineChoice& choice);

/// "cpu" or "gpu" for "auto": a GPU where there is one to use.
[[nodiscard]] std::string chosen_device(const std::string& device);

}  // namespace millrace::apps
