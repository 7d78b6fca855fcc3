#pragma once
// What `train` prints of a run: the choices before it, and its results, on the screen and in the
// run's report.

#include "apps/common/gpu.h"
#include "apps/common/progress.h"
#include "apps/common/pruning_report.h"

#include <millrace/training/run_directory.h>
#include <millrace/training/session.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace millrace::apps {

void print_choices(const Training& training);

/// Warns before the run of pruning that will not happen.
void warn_of_pruning(const Training& training);

/// Where the augmented samples are, and whether others can write the run too.
void print_directory(TrainingSession& session, Show show);

/// What a run came to, and further members of its report's JSON.
struct Told {
  Report report;
  std::vector<std::pair<std::string, std::string>> more;
};

/// Adds to the report what its readers must know besides, and returns further members of its JSON.
/// `recording` may be null.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> told(
    Report& report, const Training& training, GpuRecording* recording,
    const std::filesystem::path& trace);

/// How the run ended, where its model is, and what it left out.
void print_outcome(const Report& report, const Training& training, const RunDirectory& directory,
                   Show show);

/// What pruning came to, on the screen and in the report.
void report_pruning(Told told, const Training& training, const RunDirectory& directory,
                    const ModelSize& dense, Show show);

}  // namespace millrace::apps
