#include <millrace/training/take_snapshot.h>

#include <millrace/nn/average.h>

#include <utility>

namespace millrace {

TakeSnapshot::TakeSnapshot(std::shared_ptr<TrainingState> state, SavedParts parts,
                           Pool<Snapshot> pool, SnapshotOptions options)
    : state_(std::move(state)),
      parts_(std::move(parts)),
      pool_(std::move(pool)),
      options_(options) {}

StepRecord TakeSnapshot::operator()(const StepRecord& record, Context& context) {
  const bool is_step_due = record.tag.phase == Phase::training && record.samples > 0 &&
                           options_.every_steps > 0 &&
                           record.global_step % options_.every_steps == 0;
  const bool is_last = state_->is_finished();
  if (!is_step_due && !is_last && record.epoch == nullptr) return record;
  StepRecord result = record;
  result.snapshot = pool_.acquire(context.stop_token());
  if (!result.snapshot) return result;
  collect_results(*state_);  // of training that a callback has finished between two reports
  Snapshot& snapshot = *result.snapshot;
  snapshot.step = record.global_step;
  snapshot.is_last = is_last;
  snapshot.is_unfrozen = state_->is_unfrozen();
  snapshot.is_whole = is_step_due || options_.whole;
  if (snapshot.is_whole) {
    save(*state_, parts_, snapshot.checkpoint);
  } else {
    const nn::AverageScope averages(*state_->executor);
    std::vector<float>& values = snapshot.checkpoint.arrays["parameters"];
    values.resize(
        static_cast<std::size_t>(nn::arena_elements(nn::parameters(state_->executor->model()))));
    state_->executor->read(nn::Arena::parameters, values);
  }
  return result;
}

}  // namespace millrace
