#pragma once
// Takes the copies that checkpoints and saved models are written from.

#include <millrace/pipeline/stage.h>
#include <millrace/training/snapshot.h>
#include <millrace/training/train_step.h>

#include <cstdint>
#include <memory>

namespace millrace {

struct SnapshotOptions {
  bool whole = true;              ///< at the end of an epoch all of the run, not the weights alone
  std::uint64_t every_steps = 0;  ///< and all of the run after this many training steps; 0: not
};

/// A node for the engine's thread, the last one there: StepRecord -> the same with a snapshot where
/// one is due. Waits for the observer of the one before. Without a free slot, because the run is
/// ending, none is taken.
class TakeSnapshot {
 public:
  TakeSnapshot(std::shared_ptr<TrainingState> state, SavedParts parts, Pool<Snapshot> pool,
               SnapshotOptions options = {});
  static constexpr bool is_serial = true;
  StepRecord operator()(const StepRecord& record, Context& context);

 private:
  std::shared_ptr<TrainingState> state_;
  SavedParts parts_;
  Pool<Snapshot> pool_;
  SnapshotOptions options_;
};

}  // namespace millrace
