#pragma once
// The device of a command, and the engine on it.

#include <millrace/nn/engine.h>
#include <millrace/training/machine_spec.h>
#include <millrace/training/session_watch.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

namespace millrace::apps {

/// What to compute with.
struct EngineChoice {
  MachineSpec machine{};  ///< whose device is cpu or gpu
  /// Of the CPU: whether algorithms are chosen by timing, with times kept in the user's cache.
  bool timed = false;
  std::filesystem::path choices{};                 ///< then: of a run; may be missing
  bool choices_alone = false;                      ///< then: nothing besides them is timed or read
  std::function<void(std::uint64_t)> on_timing{};  ///< then: cpu::EngineOptions::on_timing
};
/// Algorithms by timing, which the watch shows and may end where it takes long.
[[nodiscard]] EngineChoice timed(const MachineSpec& machine, const SessionWatch& watch,
                                 std::filesystem::path choices = {});
/// Throws Error if there is no such device, and where it does not compute in this precision;
/// never falls back from one that was asked for.
[[nodiscard]] std::shared_ptr<const nn::Engine> engine_for(const EngineChoice& choice);

/// A GPU for Device::automatic, where there is one to use.
[[nodiscard]] Device chosen_device(Device device);

/// Fills in what was left open.
void choose(MachineSpec& machine);

}  // namespace millrace::apps
