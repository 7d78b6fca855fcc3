#include <millrace/training/train_step.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <utility>

namespace millrace {
TrainStep::TrainStep(std::shared_ptr<TrainingState> state, Schedule schedule)
    : state_(std::move(state)), schedule_(std::move(schedule)) {}

TrainStep::TrainStep(std::shared_ptr<nn::Executor> executor, Schedule schedule)
    : TrainStep(std::make_shared<TrainingState>(std::move(executor)), std::move(schedule)) {}

TrainStep::TrainStep(const TrainStep& other)
    : state_(other.state_),
      schedule_(other.schedule_),
      unfreeze_(other.unfreeze_),
      figures_(other.figures_),
      report_every_(other.report_every_),
      snapshot_steps_(other.snapshot_steps_) {
  if (!figures_) return;
  std::visit([&](auto& metrics) { metrics.reserve(figures_->samples); }, figures_->metrics);
}

TrainStep::~TrainStep() {
  leave_validation();
}

TrainStep& TrainStep::unfreeze_at(std::uint32_t epoch, double rate_factor) {
  unfreeze_ = {epoch, rate_factor};
  return *this;
}

TrainStep& TrainStep::report_every(std::int64_t steps, std::uint64_t snapshot_steps) {
  report_every_ = steps;
  snapshot_steps_ = snapshot_steps;
  return *this;
}

Bytes TrainStep::scratch() const {
  if (!figures_) return {};
  return std::visit([&](const auto& metrics) { return metrics.bytes(figures_->samples); },
                    figures_->metrics) +
         Bytes{figures_->outputs.size() * sizeof(float)};
}

double TrainStep::elapsed() const {
  return std::chrono::duration<double>(Clock::now() - epoch_begin_).count();
}

void TrainStep::check_stamps(const DeviceBatch& batch) {
  const BatchTag& tag = batch.tag;
  const bool is_training = tag.phase == Phase::training;
  const std::uint64_t end = std::uint64_t{tag.step} + tag.count;
  if (tag.steps == 0) {
    throw Error(
        "a batch without a tag: its source sets HostBatch::tag, at least steps, step, "
        "ends_phase and ends_epoch");
  }
  const bool has_steps = tag.steps != BatchTag::kUnknownSteps;
  check_open_phase(tag);
  if (has_steps && end > tag.steps) {
    throw Error(concat("HostBatch::tag: there is no step ", end - 1, " (from 0) in a phase of ",
                       tag.steps, " steps"));
  }
  if (has_steps && (end == tag.steps) != tag.ends_phase) {
    throw Error(concat("HostBatch::tag: step ", end - 1, " (from 0) of ", tag.steps,
                       tag.ends_phase ? " sets ends_phase, which only the last step of a phase does"
                                      : " is the last of its phase and does not set ends_phase"));
  }
  if (awaits_validation_ && is_training) {
    throw Error(
        concat("HostBatch::tag: epoch ", tag.epoch,
               " begins, but the one before has not ended: its last batch sets ends_epoch"));
  }
  if (!is_training && tag.ends_phase && !tag.ends_epoch) {
    throw Error("HostBatch::tag: the last batch of validation sets ends_epoch too");
  }
  awaits_validation_ = is_training && tag.ends_phase && !tag.ends_epoch;
}

void TrainStep::check_open_phase(const BatchTag& tag) {
  if (open_ && (open_->phase != tag.phase || open_->epoch != tag.epoch)) {
    const auto named = [](const BatchTag& of) {
      return concat(of.phase == Phase::training ? "training" : "validation", " of epoch ",
                    of.epoch);
    };
    throw Error(concat("HostBatch::tag: ", named(tag), " begins, but ", named(*open_),
                       " has not ended: its last batch sets ends_phase"));
  }
  open_.reset();
  if (tag.steps == BatchTag::kUnknownSteps && !tag.ends_phase) open_ = tag;
}

void TrainStep::begin_phase(const BatchTag& tag) {
  if (tag.phase == Phase::validation) {
    state_->epoch.validation = nn::StepResult{};
    state_->validation_holes = 0;
    if (figures_) std::visit([](auto& metrics) { metrics.reset(); }, figures_->metrics);
    return;
  }
  state_->epoch = {};
  state_->epoch.epoch = tag.epoch;
  state_->epoch.has_accuracy = state_->tells_accuracy;
  if (unfreeze_ && tag.epoch + 1 >= unfreeze_->epoch) state_->unfreeze();
}

void TrainStep::train(const DeviceBatch& batch, std::int64_t steps) {
  TrainingState& s = *state_;
  const auto first = static_cast<std::int64_t>(s.update + 1);
  rates_.clear();
  for (std::int64_t i = 0; i < steps; ++i) rates_.push_back(begin_step());
  if (steps == 1)
    s.executor->start_train(batch.view(), first, s.rate);
  else
    s.executor->start_steps(batch.view(), batch.tag.rows, first, rates_);
}

double TrainStep::begin_step() {
  TrainingState& s = *state_;
  ++s.step;
  ++s.update;
  const double base = s.executor->learning_rate();
  s.rate = (schedule_ ? schedule_(base, s.step) : base) * s.rate_factor;
  if (unfreeze_ && s.is_unfrozen()) s.rate *= unfreeze_->rate_factor;
  return s.rate;
}

bool TrainStep::accumulate(const DeviceBatch& batch, StepRecord& record) {
  nn::Executor& executor = *state_->executor;
  const BatchTag& tag = batch.tag;
  if (tag.count > 1) {
    throw Error(concat("a batch of ", tag.count,
                       " steps cannot be accumulated with others; give "
                       "TrainStep batches of one step"));
  }
  const std::uint32_t of_group = static_cast<std::uint32_t>(executor.accumulates());
  const bool is_first = tag.step % of_group == 0;
  if (is_first) group_ = {};
  if (batch.size > 0) executor.start_accumulate(batch.view(), group_.samples == 0);
  group_.samples += batch.size;
  group_.holes += batch.holes;
  if (!tag.ends_phase && (tag.step + 1) % of_group != 0) return false;
  record.samples = group_.samples;
  record.holes = group_.holes;
  if (group_.samples > 0) {
    const auto t = static_cast<std::int64_t>(state_->update + 1);
    executor.start_update(t, begin_step());
    ++unreported_;
  }
  return true;
}

namespace {

/// Steps with samples.
std::int64_t steps_of(const DeviceBatch& batch) {
  const std::int64_t rows = batch.tag.rows;
  if (batch.size == 0 || rows == 0) return batch.size == 0 ? 0 : 1;
  return (batch.size + rows - 1) / rows;
}

}  // namespace

bool TrainStep::is_result_due(const BatchTag& tag) const {
  if (tag.ends_phase || tag.ends_epoch || tag.ends_run || unreported_ >= report_every_) return true;
  if (tag.phase == Phase::validation) return figures_.has_value();
  return snapshot_steps_ > 0 && state_->step % snapshot_steps_ == 0;
}

nn::StepResult collect_results(TrainingState& state) {
  const nn::StepResult result = state.executor->finish();
  // Behind the last training step of an epoch nothing is under way when validation begins.
  (state.epoch.validation ? *state.epoch.validation : state.epoch.training) += result;
  state.device_s += result.device_s;
  return result;
}

void TrainStep::end_epoch(StepRecord& record) {
  TrainingState& s = *state_;
  s.epoch.holes += std::exchange(s.validation_holes, 0);
  s.epoch.seconds = elapsed();
  epoch_begin_ = Clock::now();
  record.epoch = std::make_shared<EpochRecord>(s.epoch);
  if (const auto scale = s.executor->loss_scale()) {
    record.epoch->extra.emplace_back("loss_scale", scale->scale);
    record.epoch->extra.emplace_back("skipped_steps", static_cast<double>(scale->skipped));
  }
  if (figures_ && record.tag.phase == Phase::validation && s.epoch.validation->samples > 0) {
    for (const std::string& name : figures_->names) {
      record.epoch->extra.emplace_back(
          "val_" + name,
          std::visit([&](const auto& metrics) { return metrics.value(name); }, figures_->metrics));
    }
  }
}

std::optional<StepRecord> TrainStep::operator()(const Lease<DeviceBatch>& batch) {
  TrainingState& s = *state_;
  const BatchTag& tag = batch->tag;
  const bool is_training = tag.phase == Phase::training;
  if (is_training || s.is_finished()) leave_validation();
  if (s.is_finished()) return std::nullopt;
  check_stamps(*batch);
  if (tag.step == 0) begin_phase(tag);

  StepRecord record{.tag = tag, .steps = 0, .samples = batch->size, .holes = batch->holes};
  if (is_training && s.executor->accumulates() > 1) {
    if (!accumulate(*batch, record)) return std::nullopt;
  } else if (batch->size > 0) {
    const std::int64_t steps = steps_of(*batch);
    unreported_ += steps;
    if (is_training)
      train(*batch, steps);
    else
      record.result = validate(*batch);
  }
  if (tag.ends_phase) leave_validation();
  if (is_result_due(tag)) {
    record.result += collect_results(s);
    record.steps = std::exchange(unreported_, 0);
  }
  record.totals = is_training ? s.epoch.training : *s.epoch.validation;
  if (tag.ends_phase && record.totals.samples == 0) {
    throw Error(concat("no ", is_training ? "training" : "validation",
                       " sample could be read in epoch ", tag.epoch + 1));
  }
  const bool has_targets = !s.executor->model().targets.empty();
  if (tag.ends_phase && !is_training && has_targets && record.totals.weight_sum == 0) {
    throw Error(concat("no target is known of a validation sample in epoch ", tag.epoch + 1,
                       ", so there is nothing to measure"));
  }
  record.learning_rate = s.rate;
  record.global_step = s.step;
  record.has_accuracy = s.tells_accuracy;
  if (is_training) {
    s.epoch.holes += record.holes;
    s.epoch.learning_rate = s.rate;
    s.epoch.global_step = s.step;
    s.epoch.training_s = elapsed();
  } else {
    s.validation_holes += batch->holes;
  }
  if (is_training || tag.ends_phase) s.next = tag.next;
  if (tag.ends_epoch) end_epoch(record);
  return record;
}

}  // namespace millrace
