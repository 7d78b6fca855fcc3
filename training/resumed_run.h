#pragma once
// A resumed run: what of it stays, what its spec may change, and what to report.

#include <millrace/training/resume.h>
#include <millrace/training/training.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace millrace {

/// Before anything of it is changed.
struct ResumedRun {
  RunDirectory directory;
  ResumePoint point;
  TrainSpec before;         ///< as its config.ini has it
  bool keeps_model = true;  ///< the spec says nothing new of the model: it is the checkpoint's
};

/// Locks and reads a run, and makes the spec fit it: new pruning begins where it
/// resumes. `keeps_model`: see ResumedRun. Throws Error: there is no such run, no checkpoint is
/// whole, or another process writes it; UsageError naming an option.
[[nodiscard]] std::shared_ptr<ResumedRun> open_resumed(const std::filesystem::path& run,
                                                       bool keeps_model, TrainSpec& spec);

[[nodiscard]] RunContents contents_of(const Training& training);

/// How a run resumes.
struct Resumption {
  std::uint64_t step = 0;   ///< after which it resumes
  std::uint32_t epoch = 0;  ///< in which, from 1
  /// Why nothing is left to train, with what would be needed; empty if the run resumes.
  std::string why_not{};
  std::vector<std::string> anew{};      ///< what other options reset, a line each
  std::vector<std::string> warnings{};  ///< what could not be written and need not stop the run
};

/// Puts a run back to its last good checkpoint: state, callbacks, files. Where nothing is left to
/// train, metrics.csv and the models are then complete. The executor must be allocated. Throws
/// Error: the checkpoint is of another run.
[[nodiscard]] Resumption resume(const Training& training);

}  // namespace millrace
