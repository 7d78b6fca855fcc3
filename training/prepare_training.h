#pragma once
// From a spec and its data to a run that can be composed.

#include <millrace/training/resumed_run.h>
#include <millrace/training/session_watch.h>
#include <millrace/training/training.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

namespace millrace {

/// What an engine is made from, once it is known what it will compute.
struct EngineRequest {
  const MachineSpec& machine;       ///< resolved
  std::filesystem::path choices{};  ///< nn::Engine::choices of a resumed run, or empty
  std::function<void(std::uint64_t)> on_timing{};  ///< gets the number of operations timed
};
using EngineMaker = std::function<std::shared_ptr<const nn::Engine>(const EngineRequest&)>;

/// What a session has besides its spec. All of it may be left out.
struct SessionOptions {
  SessionWatch watch{};                   ///< of what comes before the first step
  std::shared_ptr<ResumedRun> resumed{};  ///< the run to resume
  std::shared_ptr<StageWatch> stages{};   ///< sees the stages' work, if the device is not a CPU
  /// Training::planned_memory, for a device with memory of its own.
  decltype(Training::planned_memory) planned_memory{};
  Bytes recording{};  ///< Training::recording, where the device is no CPU and the spec profiles
};

/// Chooses what the spec leaves open, makes the model, fits its preprocessing to the data where
/// that is asked for and compiles it. Nothing large is allocated. `engine`: to train with; null:
/// `make_engine` gives one. Throws UsageError or Error as resolve(), make_model() and
/// fit_preprocessing() do, and if it would not be the run to resume.
[[nodiscard]] Training prepare_training(TrainSpec spec, TrainingData data,
                                        std::shared_ptr<const nn::Engine> engine,
                                        const EngineMaker& make_engine = {},
                                        const SessionOptions& options = {});

}  // namespace millrace
