#include <millrace/nodes/train_step.h>

#include <utility>

namespace millrace {

TrainStep::TrainStep(std::shared_ptr<nn::Executor> executor, Schedule learning_rate)
    : executor_(std::move(executor)), learning_rate_(std::move(learning_rate)) {}

TrainStep& TrainStep::snapshots(Pool<Snapshot> pool) {
  snapshots_ = std::make_shared<Pool<Snapshot>>(std::move(pool));
  return *this;
}

StepRecord TrainStep::operator()(const Lease<DeviceBatch>& batch, Context& context) {
  StepRecord record;
  record.tag = batch->tag;
  record.holes = batch->holes;
  if (batch->tag.step == 0) totals_ = {};
  const bool is_training = batch->tag.phase == Phase::training;
  if (batch->size > 0 && is_training) {
    ++step_;
    record.learning_rate = learning_rate_(step_);
    record.result =
        executor_->train(batch->view(), static_cast<std::int64_t>(step_), record.learning_rate);
  } else if (batch->size > 0) {
    record.result = executor_->evaluate(batch->view());
  }
  totals_ += record.result;
  record.totals = totals_;
  record.global_step = step_;
  if (batch->tag.ends_epoch && snapshots_ != nullptr) {
    record.snapshot = snapshots_->acquire(context.stop_token());
    if (record.snapshot) executor_->read(nn::Arena::parameters, record.snapshot->parameters);
  }
  return record;
}

}  // namespace millrace
