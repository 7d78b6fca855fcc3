#pragma once
// `millrace train --resume RUN`: what of the run stays as it was, what its options may change, and
// what is said of it.

#include "apps/progress.h"
#include "apps/train_options.h"
#include "apps/training.h"

#include <millrace/training/resume.h>

#include <memory>

namespace millrace::apps {

/// A run that is gone on with, before anything of it is changed.
struct ResumedRun {
  RunDirectory directory;
  ResumePoint point;
  TrainSpec before;         ///< as its config.ini has them
  bool keeps_model = true;  ///< the command line says nothing of the model: it is the checkpoint's
};

/// Locks and reads the run that `options` go on with, and makes them fit it: pruning that it did
/// not have begins where it goes on. Null where none is gone on with. `line`: the command line.
/// Damaged checkpoints are named on stderr. Throws Error: there is no such run, no checkpoint is
/// whole, or another process writes it; UsageError naming an option.
[[nodiscard]] std::shared_ptr<ResumedRun> open_resumed(TrainOptions& options,
                                                       const OptionList& line);

[[nodiscard]] RunContents contents_of(const Training& training);

/// Puts a run back to its last good checkpoint: state, callbacks, files. What begins anew is said
/// on stdout unless nothing is shown. False if nothing is left to train, which is said with what it
/// would need; metrics.csv and the models are then complete. The executor must be allocated. Throws
/// Error: the checkpoint is of another run.
[[nodiscard]] bool resume(const Training& training, ResumedRun& run, Show show);

}  // namespace millrace::apps
