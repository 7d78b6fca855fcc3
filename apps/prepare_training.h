#pragma once
// From the options of `millrace train` and its data to a run that can be composed.

#include "apps/resume.h"

#include <millrace/io/watch.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

namespace millrace::apps {

/// Chooses what the options leave open, makes the model, fits its preprocessing to the data where
/// that is asked for (`watch` is told of the samples) and compiles it. Nothing large is allocated.
/// `engine`: to train with, instead of the one that the options name, which calls `on_timing` as
/// EngineChoice says. `resumed`: a run that is gone on with, whose model it takes; or null. Throws
/// UsageError or Error as choose(), make_model(), fit_preprocessing() and engine_for() do, and
/// where it would not be that run.
[[nodiscard]] Training prepare_training(TrainSpec spec, TrainingData data, const Watch& watch = {},
                                        std::shared_ptr<const nn::Engine> engine = nullptr,
                                        std::function<void(std::uint64_t)> on_timing = {},
                                        const ResumedRun* resumed = nullptr);

}  // namespace millrace::apps
