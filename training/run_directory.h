#pragma once
// The folder with everything about a run: config.ini, metrics.csv, model.safetensors,
// best.safetensors, checkpoints, events, report.json, trace.json, algorithms.json, data.json,
// features.safetensors. A file in it (run_marker.h) says what it is, and is locked by the process
// that writes the run.

#include <millrace/io/checkpoint_folder.h>
#include <millrace/io/file_lock.h>
#include <millrace/nn/model.h>
#include <millrace/pipeline/report.h>
#include <millrace/training/logger.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace millrace {

/// A new folder for a run, named by the time: "runs/20260131-154500", with "-2", "-3" and so on
/// appended if another run has that name. The process that creates the folder has the name, so two
/// processes have two. It is removed again if nothing was put into it.
class NewRunFolder {
 public:
  /// Below `parent`, which is made too. Throws Error (disk).
  explicit NewRunFolder(std::filesystem::path parent = "runs",
                        std::time_t now = std::time(nullptr));
  ~NewRunFolder();
  NewRunFolder(const NewRunFolder&) = delete;
  NewRunFolder& operator=(const NewRunFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path parent_, path_;
};

/// Where a run keeps which algorithms its engine chose (nn::Engine::choices).
[[nodiscard]] std::filesystem::path choices_file(const std::filesystem::path& run);

/// Where a run keeps what identifies its samples.
[[nodiscard]] std::filesystem::path data_file(const std::filesystem::path& run);

/// What to do with a run that is there already.
enum class OldRun { refuse, replace, resume };

class RunDirectory {
 public:
  /// Makes the folder, and has its lock until this is destroyed or the process dies. Throws Error
  /// naming it: another one has the lock, it holds a run already (OldRun::refuse), it holds none
  /// (OldRun::resume), or it cannot be written. A run that is resumed is not touched before
  /// rewrite_epochs(). `keep` is how many of the last checkpoints stay.
  RunDirectory(std::filesystem::path path, OldRun old, std::size_t keep = 2);

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// False if the file system has no locks: then nothing keeps others from writing the run too.
  [[nodiscard]] bool is_locked() const noexcept { return lock_.state() == FileLock::State::held; }
  [[nodiscard]] std::filesystem::path config_file() const { return path_ / "config.ini"; }
  [[nodiscard]] std::filesystem::path model_file() const { return path_ / "model.safetensors"; }
  [[nodiscard]] std::filesystem::path best_model_file() const { return path_ / "best.safetensors"; }
  [[nodiscard]] std::filesystem::path augmented_file() const { return path_ / "augmented.png"; }
  [[nodiscard]] std::filesystem::path trace_file() const { return path_ / "trace.json"; }
  [[nodiscard]] std::filesystem::path events() const { return path_ / "events"; }
  [[nodiscard]] CheckpointFolder& checkpoints() noexcept { return checkpoints_; }
  [[nodiscard]] const CheckpointFolder& checkpoints() const noexcept { return checkpoints_; }

  /// For a run that failed: where it has no epoch, checkpoint or model, and the folder was new,
  /// what it wrote is removed, and the folder if nothing else is in it. Nothing is written
  /// afterwards.
  void remove_if_fruitless();

  void write_config(const std::string& recipe) const;
  /// nn::Engine::choices; no file for an empty text.
  void write_choices(const std::string& text) const;
  /// What identifies the samples (run_identity.h).
  void write_data(const std::string& record) const;
  /// Appends a line to metrics.csv. A figure that no epoch had before is a new column at the end,
  /// empty in earlier lines: the file is rewritten. Throws Error (disk), here and
  /// below.
  void write_epoch(const EpochRecord& record);
  /// Makes metrics.csv hold these epochs and no others.
  void rewrite_epochs(const std::vector<EpochRecord>& history);
  /// `more`: further members of the JSON object, name and JSON text.
  void write_report(const Report& report,
                    const std::vector<std::pair<std::string, std::string>>& more = {}) const;

 private:
  [[nodiscard]] std::filesystem::path metrics_file() const { return path_ / "metrics.csv"; }
  /// True where the epoch has a figure that has none yet.
  bool add_columns(const EpochRecord& record);
  [[nodiscard]] std::string head() const;
  [[nodiscard]] std::string line_of(const EpochRecord& record) const;
  void write_epochs();

  std::filesystem::path path_;
  bool is_new_;  // before this was made
  FileLock lock_;
  CheckpointFolder checkpoints_;
  std::ofstream metrics_;
  std::vector<EpochRecord> epochs_;   // that it holds
  std::vector<std::string> columns_;  // of EpochRecord::extra
};

}  // namespace millrace
