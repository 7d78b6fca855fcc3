#pragma once
// Restores a run from its last good checkpoint and the files that belong to it.

#include <millrace/training/run_files.h>
#include <millrace/training/run_identity.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace millrace {

/// Where a run can resume.
struct ResumePoint {
  std::filesystem::path file;
  Checkpoint checkpoint;             ///< with empty arrays (read_checkpoint_values)
  std::vector<std::string> damaged;  ///< newer ones that are damaged, and how: a line each

  [[nodiscard]] std::uint64_t step() const { return checkpoint.get<std::uint64_t>("step"); }
  /// Whether a callback ended the run (TrainingState::finish), and why.
  [[nodiscard]] bool has_ended() const { return checkpoint.get<bool>("finished"); }
  [[nodiscard]] std::string reason() const { return checkpoint.get<std::string>("reason"); }
  /// The model that is trained, less a whitening matrix, which the checkpoint has not.
  [[nodiscard]] nn::Model model() const;
};

/// The newest checkpoint that is whole. Throws Error if there is none.
[[nodiscard]] ResumePoint find_resume_point(const RunDirectory& directory);

/// Throws Error naming the file if its checkpoint is of another run.
void check_same(const RunIdentity& identity, const ResumePoint& point);

/// Puts state and parts back to what the checkpoint says, of which `point` has the values: they win
/// over those in its file. The executor must be allocated. Throws Error naming the file: it is of
/// another run.
void restore(const RunContents& contents, const ResumePoint& point);

/// Makes the values of the file those of `point`. Throws Error (disk).
void write_values(const ResumePoint& point);

/// Writes what a run that was killed after a checkpoint has not written yet: metrics.csv and the
/// models. Requires: restore(). Returns what could not be written and need not stop the run, a line
/// each. Throws Error (disk).
std::vector<std::string> complete_files(const RunContents& contents, RunDirectory& directory);

/// The model whose order parameters have.
[[nodiscard]] const nn::Model& model_of(const RunContents& contents, bool is_unfrozen);

}  // namespace millrace
