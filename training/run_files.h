#pragma once
// What a run writes into its directory while it trains: metrics.csv, events, checkpoints, models.

#include <millrace/io/csv_log.h>
#include <millrace/training/event_log.h>
#include <millrace/training/logger.h>
#include <millrace/training/run_directory.h>
#include <millrace/training/snapshot.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace {

/// What files of a run are written from.
struct RunContents {
  nn::Model model;  ///< as it is trained first: with layers frozen, if some are
  std::shared_ptr<TrainingState> state;
  SavedParts saved;  ///< what a checkpoint holds besides the state
};

struct RunFileOptions {
  bool checkpoints = true;
  bool events = true;
  std::uint64_t event_steps = 0;    ///< EventLog's batch_interval
  std::filesystem::path csv_log{};  ///< a CsvLog besides metrics.csv; empty: none
  /// What is measured besides loss and accuracy, as EpochRecord calls it: "val_auc".
  std::vector<std::string> measures{};
};

/// The files as watchers of a Logger. Thread safety: none; an observer's thread.
class RunFiles {
 public:
  /// `directory` outlives this. Rewrites the files with the epochs of the state. Throws
  /// Error (disk), here and below.
  RunFiles(RunDirectory& directory, RunContents contents, const RunFileOptions& options);
  /// Of this object, which outlives them.
  [[nodiscard]] Logger::Watchers watchers();
  /// After a run that was stopped between epochs' ends: all of it as a checkpoint, and the epochs
  /// that were whole.
  void write_stopped();

 private:
  void step(const StepRecord& record);
  void epoch(const EpochRecord& record);
  void snapshot(const Snapshot& snapshot, const StepRecord& record);

  RunDirectory& directory_;
  RunContents contents_;
  bool checkpoints_;
  std::optional<EventLog> events_;  // none: not asked for
  std::optional<CsvLog> csv_;       // likewise
};

}  // namespace millrace
