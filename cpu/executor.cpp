#include <millrace/cpu/executor.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace millrace::cpu {
void CpuExecutor::check_allocated() const {
  MILLRACE_CHECK(parameters_.size() > 0, "allocate() comes before the first step");
}

void CpuExecutor::check(const nn::Batch& batch, bool needs_labels) const {
  check_allocated();
  nn::check_batch(batch, model_, options_.batch, needs_labels);
}

template <class Body>
void CpuExecutor::for_each_slice(std::int64_t count, Body&& body) {
  if (division_.slices > 1) return team_.for_each(count, body);
  team_.together([&] { body(0); });
}

std::int64_t CpuExecutor::begin(const Programs::Slices& slices, const nn::Batch& batch) {
  batch_ = batch;
  if (batch_.positions.empty()) batch_.positions = positions_;  // a slice's do not begin at 0
  // A slice without samples has its outputs of the others' samples to compute, if it has any.
  const std::int64_t filled = std::min(division_.slices, batch.samples);
  const std::int64_t count = slices.front()->sections() > 1 ? division_.slices : filled;
  const auto first_row = [&](std::int64_t i) {
    return batch.samples * std::min(i, filled) / filled;
  };
  const auto begin = [&](std::int64_t i) {
    const auto slice = static_cast<std::size_t>(i);
    rows_[slice] = nn::slice(batch_, first_row(i), first_row(i + 1) - first_row(i));
    slices[slice]->begin(rows_[slice], batch_);
  };
  if (slices.front()->copies_rows(batch)) {
    for_each_slice(count, begin);
  } else {
    for (std::int64_t i = 0; i < count; ++i) begin(i);
  }
  return count;
}

nn::StepResult CpuExecutor::run(const Programs::Slices& slices, Wanted wanted,
                                const nn::Batch& batch, std::span<float> outputs) {
  const std::int64_t width = outputs.empty() ? 0 : slices.front()->output_width();
  const auto needed = static_cast<std::size_t>(batch.samples * width);
  MILLRACE_CHECK(outputs.size() >= needed, "outputs of ", batch.samples, " samples are ", needed,
                 " values, not ", outputs.size());
  const std::int64_t count = begin(slices, batch);
  if (prepared_ != slices.front().get()) {
    for_each_slice(1, [&](std::int64_t) { slices.front()->prepare(is_timed_); });
  }
  prepared_ = slices.front().get();
  std::ranges::fill(results_, nn::StepResult());
  for (std::size_t section = 0; section < slices.front()->sections(); ++section) {
    for_each_slice(count, [&](std::int64_t i) {
      const auto index = static_cast<std::size_t>(i);
      results_[index] += slices[index]->run(section, wanted, is_timed_);
    });
  }
  nn::StepResult sum;
  float* to = outputs.data();
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    sum += results_[i];
    if (width > 0) to = std::copy_n(slices[i]->output(), rows_[i].samples * width, to);
  }
  active_slices_ = static_cast<std::size_t>(count);
  return sum;
}

void CpuExecutor::run_bare(const nn::Batch& batch) {
  check(batch);
  const Programs::Slices& slices = programs_->training(batch.samples);
  const std::int64_t count = begin(slices, batch);
  prepared_ = nullptr;
  for (std::size_t section = 0; section < slices.front()->sections(); ++section) {
    for_each_slice(count,
                   [&](std::int64_t i) { slices[static_cast<std::size_t>(i)]->run_bare(section); });
  }
}

nn::StepResult CpuExecutor::differentiate(const nn::Batch& batch) {
  check(batch);
  nn::check_initialised(*this, is_initialised_);
  return run(programs_->training(batch.samples), Wanted::loss, batch);
}

FlatArenas CpuExecutor::trainable_arenas() const {
  const auto trainable = static_cast<std::size_t>(layouts_.trainable_elements());
  FlatArenas::States states;
  std::transform(states_.begin(), states_.end(), states.begin(),
                 [](const Buffer& state) { return state.as<float>(); });
  return {.weights = parameters_.as<float>().first(trainable),
          .states = states,
          .masks = masks_updates_ ? masks_.as<float>() : std::span<float>(),
          .averages = averages_.as<float>(),
          .partial = std::span<const std::span<float>>(gradients_).first(active_slices_)};
}

nn::StepResult CpuExecutor::gradients(const nn::Batch& batch) {
  nn::StepResult result = differentiate(batch);
  const double penalty = updater_->add_up(trainable_arenas());
  result.loss_sum += penalty * static_cast<double>(batch.samples);
  return result;
}

std::span<float> CpuExecutor::untrained() const {
  return parameters_.as<float>().subspan(static_cast<std::size_t>(layouts_.trainable_elements()));
}

std::span<float> CpuExecutor::before_group() const {
  return sums_.as<float>().subspan(group_.sums.size());
}

template <class Update>
double CpuExecutor::timed_update(Update&& update) {
  using Clock = std::chrono::steady_clock;
  const auto start = is_timed_ ? Clock::now() : Clock::time_point{};
  const double penalty = update();
  weights_have_changed();
  if (is_timed_) {
    update_seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
    ++updates_;
  }
  return penalty;
}

nn::StepResult CpuExecutor::train(const nn::Batch& batch, std::int64_t t, double learning_rate) {
  nn::check_not_swapped(*this);
  nn::StepResult result = differentiate(batch);
  const double penalty =
      timed_update([&] { return updater_->update(learning_rate, t, trainable_arenas()); });
  result.loss_sum += penalty * static_cast<double>(batch.samples);
  return result;
}

void CpuExecutor::start_accumulate(const nn::Batch& batch, bool begins_group) {
  nn::check_accumulates(options_);
  check(batch);
  if (begins_group) {
    group_.samples = 0;
    in_group_ = {};
  }
  if (group_.samples == 0) {
    std::ranges::copy(untrained().first(before_group().size()), before_group().begin());
  }
  nn::StepResult result = differentiate(batch);
  updater_->accumulate(batch.samples, group_, trainable_arenas());
  result.loss_sum += penalty() * static_cast<double>(batch.samples);
  in_group_ += result;
}

void CpuExecutor::start_update(std::int64_t t, double learning_rate) {
  nn::check_accumulates(options_);
  nn::check_not_swapped(*this);
  nn::check_group(group_.samples);
  timed_update([&] { return updater_->update(learning_rate, t, group_, trainable_arenas()); });
  group_.samples = 0;
  updated_ += std::exchange(in_group_, {});
}

void CpuExecutor::drop_group() {
  if (group_.samples == 0) return;
  std::ranges::copy(before_group(), untrained().begin());
  prepared_ = nullptr;
  group_.samples = 0;
  in_group_ = {};
}

nn::StepResult CpuExecutor::finish() {
  nn::StepResult result = nn::Executor::finish();
  result += std::exchange(updated_, {});
  return result;
}

void CpuExecutor::weights_have_changed() {
  penalty_.reset();
  if (prepared_ != nullptr && !prepared_->trains()) prepared_ = nullptr;
}

double CpuExecutor::penalty() {
  if (!penalty_) penalty_ = updater_->penalty(parameters_.as<float>());
  return *penalty_;
}

nn::StepResult CpuExecutor::evaluate(const nn::Batch& batch, std::span<float> outputs) {
  check(batch);
  nn::StepResult result = run(programs_->evaluation(batch.samples),
                              outputs.empty() ? Wanted::loss : Wanted::both, batch, outputs);
  result.loss_sum += penalty() * static_cast<double>(batch.samples);
  return result;
}

void CpuExecutor::predict(const nn::Batch& batch, std::span<float> outputs) {
  check(batch, false);
  MILLRACE_CHECK(!outputs.empty(), "outputs have a place");
  run(programs_->evaluation(batch.samples), Wanted::output, batch, outputs);
}

std::vector<nn::OpTiming> CpuExecutor::timings() const {
  std::vector<nn::OpTiming> result = programs_->timings();
  if (options_.training) {
    result.push_back({"update", "millrace:update", update_seconds_, updates_});
  }
  return result;
}

void CpuExecutor::reset_timings(bool enabled) {
  is_timed_ = enabled;
  update_seconds_ = 0;
  updates_ = 0;
  programs_->reset_timings();
}

void run_bare_step(nn::Executor& executor, const nn::Batch& batch) {
  auto* const own = dynamic_cast<CpuExecutor*>(&executor);
  if (own == nullptr) throw Error("cpu: the executor is not one of this engine");
  own->run_bare(batch);
}

}  // namespace millrace::cpu
