#include <millrace/training/callback.h>

#include <cmath>
#include <utility>

namespace millrace {
namespace {

class StepFunction final : public Callback {
 public:
  using Function = std::function<void(const StepRecord&, TrainingState&)>;
  explicit StepFunction(Function function) : function_(std::move(function)) {}
  void on_step(const StepRecord& record, TrainingState& state) override {
    function_(record, state);
  }

 private:
  Function function_;
};

class EpochFunction final : public Callback {
 public:
  using Function = std::function<void(EpochRecord&, TrainingState&)>;
  explicit EpochFunction(Function function) : function_(std::move(function)) {}
  void on_epoch(EpochRecord& epoch, TrainingState& state) override { function_(epoch, state); }

 private:
  Function function_;
};

void check_loss(const StepRecord& record, const TrainingState&) {
  const bool is_step = record.tag.phase == Phase::training && record.result.samples > 0;
  if (!is_step || std::isfinite(record.result.loss_sum)) return;
  const std::string steps =
      record.steps > 1 ? concat("the last ", record.steps, " steps up to ") : std::string("step ");
  throw Error(concat("the loss of ", steps, record.global_step, " (epoch ", record.tag.epoch + 1,
                     ") is ", record.result.loss_sum,
                     "; try a lower learning rate, or clip the gradients"));
}

}  // namespace

std::shared_ptr<Callback> after_each_step(
    std::function<void(const StepRecord&, TrainingState&)> function) {
  return std::make_shared<StepFunction>(std::move(function));
}

std::shared_ptr<Callback> after_each_epoch(
    std::function<void(EpochRecord&, TrainingState&)> function) {
  return std::make_shared<EpochFunction>(std::move(function));
}

std::shared_ptr<Callback> stop_on_nan() {
  return after_each_step(check_loss);
}

Decide::Decide(std::shared_ptr<TrainingState> state, Callbacks callbacks)
    : state_(std::move(state)), callbacks_(std::move(callbacks)) {}

StepRecord Decide::operator()(const StepRecord& record) {
  TrainingState& state = *state_;
  for (const auto& callback : callbacks_) callback->on_step(record, state);
  if (record.epoch != nullptr) {
    for (const auto& callback : callbacks_) callback->on_epoch(*record.epoch, state);
    state.history.push_back(*record.epoch);
  }
  if (state.is_finished() || record.tag.ends_run) {
    for (const auto& callback : callbacks_) callback->on_end(state);
  }
  return record;
}

}  // namespace millrace
