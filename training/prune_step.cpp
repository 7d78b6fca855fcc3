#include <millrace/training/prune_step.h>

#include <utility>

namespace millrace {

PruneStep::PruneStep(std::shared_ptr<TrainingState> state, std::shared_ptr<Pruner> pruner)
    : state_(std::move(state)), pruner_(std::move(pruner)) {}

StepRecord PruneStep::operator()(StepRecord record) {
  nn::Executor& executor = *state_->executor;
  const bool is_update = record.tag.phase == Phase::training && record.samples > 0;
  bool is_told = record.epoch != nullptr;
  if (is_update) is_told |= pruner_->after_update(executor, state_->step, record.tag.ends_phase);
  if (is_told) record.pruning = std::make_shared<const PruneSummary>(pruner_->summary());
  if (record.epoch == nullptr) return record;
  for (auto& named : named_values(*record.pruning)) record.epoch->extra.push_back(std::move(named));
  if (!record.tag.ends_run) pruner_->before_epoch(executor, state_->step);
  return record;
}

}  // namespace millrace
