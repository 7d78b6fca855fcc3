#pragma once
// The folder that holds all there is to know of a run: config.ini, metrics.csv, model.safetensors,
// best.safetensors, checkpoints, events, report.json, trace.json, algorithms.json, data.json.

#include <millrace/io/checkpoint_folder.h>
#include <millrace/nn/model.h>
#include <millrace/pipeline/report.h>
#include <millrace/training/logger.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace millrace {

/// "runs/20260131-154500".
[[nodiscard]] std::filesystem::path default_run_directory();

/// Where a run keeps which algorithms its engine chose (nn::Engine::choices).
[[nodiscard]] std::filesystem::path choices_file(const std::filesystem::path& run);

/// Where a run keeps what identifies its samples.
[[nodiscard]] std::filesystem::path data_file(const std::filesystem::path& run);

/// What to do with a run that is there already.
enum class OldRun { refuse, replace, resume };

class RunDirectory {
 public:
  /// Makes the folder. Throws Error naming it: it holds a run already (OldRun::refuse), or it
  /// cannot be written. A run that is resumed is not touched before rewrite_epochs(). `keep` is how
  /// many of the last checkpoints stay.
  RunDirectory(std::filesystem::path path, OldRun old, std::size_t keep = 2);

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] std::filesystem::path model_file() const { return path_ / "model.safetensors"; }
  [[nodiscard]] std::filesystem::path best_model_file() const { return path_ / "best.safetensors"; }
  [[nodiscard]] std::filesystem::path augmented_file() const { return path_ / "augmented.png"; }
  [[nodiscard]] std::filesystem::path trace_file() const { return path_ / "trace.json"; }
  [[nodiscard]] std::filesystem::path events() const { return path_ / "events"; }
  [[nodiscard]] CheckpointFolder& checkpoints() noexcept { return checkpoints_; }

  void write_config(const std::string& recipe) const;
  /// nn::Engine::choices; no file for an empty text.
  void write_choices(const std::string& text) const;
  /// What identifies the samples (run_identity.h).
  void write_data(const std::string& record) const;
  /// Appends a line to metrics.csv. A figure that no epoch had before is a new column at the end,
  /// empty in the lines that are there: the file is written anew. Throws Error (disk), here and
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
  CheckpointFolder checkpoints_;
  std::ofstream metrics_;
  std::vector<EpochRecord> epochs_;   // that it holds
  std::vector<std::string> columns_;  // of EpochRecord::extra
};

}  // namespace millrace
