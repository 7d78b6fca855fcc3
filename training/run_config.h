#pragma once
// config.ini of a run directory: the options of the run, so that it can be repeated, resumed and
// evaluated.

#include <millrace/training/options/options.h>

#include <filesystem>
#include <string>

namespace millrace {

/// The options as they were chosen, so that the run can be repeated from any folder. A resumed
/// run needs no file of weights any more, so that may be gone.
[[nodiscard]] std::string recipe_of(TrainSpec spec, bool goes_on);

/// What a run was, as its config.ini has them. Throws Error or UsageError where that is
/// missing or damaged.
[[nodiscard]] TrainSpec spec_of_run(const std::filesystem::path& run);

/// Makes options those of a resumed run: those of its config.ini, less those without effect.
/// Throws as spec_of_run(), and where the folder holds no run.
void begin_as_run(const std::filesystem::path& run, OptionList& options);

}  // namespace millrace
