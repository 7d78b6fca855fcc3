#pragma once
// config.ini of a run directory: the options of the run, so that it can be repeated, gone on with
// and asked about.

#include "apps/commands.h"
#include "apps/train_options.h"

#include <filesystem>
#include <optional>
#include <string>

namespace millrace::apps {

/// The options as they were chosen, so that the run can be repeated from any folder.
[[nodiscard]] std::string recipe_of(TrainOptions options);

/// The options that a run had, as its config.ini has them. Throws Error or UsageError where that is
/// missing or damaged.
[[nodiscard]] TrainOptions options_of_run(const std::filesystem::path& run);

/// Whether arguments of `train`, without what a recipe or config.ini brings, say what the model is
/// or how samples become its input. Throws UsageError as parsing them does.
[[nodiscard]] bool says_model(const Arguments& arguments);

/// For --resume: the arguments with which the run was begun come from its config.ini, the command
/// line wins. Nothing where help was asked for and printed.
[[nodiscard]] std::optional<Arguments> arguments_of_resumed(Arguments arguments);

}  // namespace millrace::apps
