#pragma once
// What `train` writes into the run directory while it trains, and how it finds its way back to
// where a run was left.

#include "apps/progress.h"
#include "apps/training.h"

#include <millrace/io/csv_log.h>
#include <millrace/training/event_log.h>
#include <millrace/training/run_directory.h>

#include <filesystem>
#include <optional>

namespace millrace::apps {

/// The watchers of a run's Logger: metrics.csv, events, checkpoints, models, the progress on the
/// screen.
class RunFiles {
 public:
  /// Both outlive the run.
  RunFiles(const Training& training, RunDirectory& directory, TrainingProgress& progress);
  [[nodiscard]] Logger::Watchers watchers();
  /// After a run that was stopped between epochs' ends: all of it as a checkpoint, and the epochs
  /// that were whole. Throws Error (disk).
  void write_stopped();

 private:
  void step(const StepRecord& record);
  void epoch(const EpochRecord& record);
  void snapshot(const Snapshot& snapshot, const StepRecord& record);

  const Training& training_;
  RunDirectory& directory_;
  TrainingProgress& progress_;
  std::optional<EventLog> events_;  // none: not asked for
  std::optional<CsvLog> csv_;       // likewise
};

/// Puts a run back to its last good checkpoint: state, callbacks, files. Damaged checkpoints are
/// named on stderr and passed over; what begins anew is said on stdout unless nothing is shown.
/// False if nothing is left to train; metrics.csv and the models
/// are then complete. The executor must be allocated. Throws Error: no checkpoint is whole, or it
/// is of another run.
[[nodiscard]] bool resume(const Training& training, RunDirectory& directory, Show show);

}  // namespace millrace::apps
