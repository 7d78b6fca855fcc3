#pragma once
// Pruning as a stage of the training pipeline.

#include <millrace/training/prune_summary.h>
#include <millrace/training/pruner.h>
#include <millrace/training/train_step.h>

#include <memory>

namespace millrace {

/// A node for the engine's thread, directly after TrainStep: StepRecord -> the same. Lets the
/// pruner work after each update and says in the record what it did: `pruning` when masks were made
/// and with each epoch, and named_values() in the epoch's record.
///
/// Requires: Pruner::begin() was called, once the state's executor held the first weights. The
/// pruner is part of what a checkpoint saves.
class PruneStep {
 public:
  PruneStep(std::shared_ptr<TrainingState> state, std::shared_ptr<Pruner> pruner);
  static constexpr bool is_serial = true;
  StepRecord operator()(StepRecord record);

 private:
  std::shared_ptr<TrainingState> state_;
  std::shared_ptr<Pruner> pruner_;
};

}  // namespace millrace
