// Several steps in one go, and steps whose gradients one update takes.

#include <millrace/gpu/gpu_executor.h>

#include <millrace/core/error.h>
#include <millrace/gpu/kernels/step.h>

#include <algorithm>
#include <utility>

namespace millrace::gpu::detail {

void GpuExecutor::start_accumulate(const nn::Batch& batch, bool begins_group) {
  nn::check_accumulates(options_);
  check_trains();
  accumulate(on_device(batch, true), begins_group);
}

void GpuExecutor::accumulate(const StepInput& input, bool begins_group) {
  if (begins_group) samples_in_group_ = 0;
  if (const Untrained rest = untrained(); samples_in_group_ == 0 && rest.count > 0) {
    device().launch(*stream_, refresh_working(Type::f32, rest.masters, rest.kept, rest.count));
  }
  group_program_ = &programs_.training(std::min(input.samples, options_.batch));
  group_input_ = input.slot.memory(input.first);
  start(*group_program_, kDifferentiate | kSum, input, 1, 0,
        samples_in_group_ == 0 ? Membership::first : Membership::later);
  gradients_ = Gradients::differentiated;
}

GpuExecutor::Untrained GpuExecutor::untrained() const {
  const std::int64_t first = places_.trainable_elements();
  const auto bytes = static_cast<std::size_t>(first) * size_of(type());
  return {.masters = arenas().masters + first,
          .kept = arenas().sums + first,
          .working = arenas().working + bytes,
          .count = nn::has_batch_statistics(model_) ? places_.elements() - first : 0};
}

// In the stream's order, so steps under way need not be waited for.
void GpuExecutor::drop_group() {
  if (std::exchange(samples_in_group_, 0) == 0) return;
  const Untrained rest = untrained();
  if (rest.count == 0) return;
  device().launch(*stream_, refresh_working(Type::f32, rest.kept, rest.masters, rest.count));
  if (!has_copies()) return;
  device().launch(*stream_, refresh_working(type(), rest.masters, rest.working, rest.count));
}

// The update's work reads no input, but is prepared with that of the step before it.
void GpuExecutor::start_update(std::int64_t t, double learning_rate) {
  nn::check_accumulates(options_);
  check_allocated();
  nn::check_not_swapped(*this);
  nn::check_group(samples_in_group_);
  device().launch(*stream_, begin_step(arenas().scalars, numbers(t, learning_rate, 0, 0)));
  clock_.begin(*stream_);
  if (is_timed_) {
    group_program_->run_timed(*context_, *stream_, kUpdate, group_input_);
  } else {
    group_program_->run(device(), *stream_, kUpdate, group_input_, context_->options.graphs);
  }
  clock_.end(*stream_);
  samples_under_way_ += std::exchange(samples_in_group_, 0);
  gradients_ = Gradients::given;
}

void GpuExecutor::start_steps(const nn::Batch& batch, std::int64_t rows, std::int64_t t,
                              std::span<const double> learning_rates) {
  if (batch.device == nullptr) {
    return nn::Executor::start_steps(batch, rows, t, learning_rates);
  }
  const std::int64_t group = options_.accumulate;
  check_trains();
  nn::check_not_swapped(*this);
  nn::check_steps(batch.samples, rows, group, learning_rates.size());
  MILLRACE_CHECK(rows <= options_.batch && group <= kMostSteps, "at most ", kMostSteps,
                 " steps of at most ", options_.batch, " samples, not ", group, " of ", rows);
  const StepInput all = on_device(batch, true);
  const std::int64_t together = kMostSteps / group * group * rows;  // samples of whole groups
  for (std::int64_t first = 0; first < batch.samples; first += together) {
    const std::int64_t samples = std::min(together, batch.samples - first);
    const std::int64_t update = first / (rows * group);
    const std::int64_t updates = (samples + rows * group - 1) / (rows * group);
    start_group({all.slot, first, samples, batch.pass}, rows, t + update,
                learning_rates.subspan(static_cast<std::size_t>(update))
                    .first(static_cast<std::size_t>(updates)));
  }
  gradients_ = Gradients::given;
}

void GpuExecutor::start_group(const StepInput& input, std::int64_t rows, std::int64_t t,
                              std::span<const double> learning_rates) {
  const std::int64_t steps = (input.samples + rows - 1) / rows, group = options_.accumulate;
  const auto step = [&](std::int64_t i) {
    return StepInput{input.slot, input.first + i * rows, std::min(rows, input.samples - i * rows),
                     input.pass};
  };
  const auto ends_update = [&](std::int64_t i) { return i + 1 == steps || (i + 1) % group == 0; };
  if (is_timed_) {
    for (std::int64_t i = 0; i < steps; ++i) {
      const double rate = learning_rates[static_cast<std::size_t>(i / group)];
      if (group == 1) {
        start(programs_.training(step(i).samples), kTrain, step(i), t + i, rate);
        continue;
      }
      accumulate(step(i), i % group == 0);
      if (ends_update(i)) start_update(t + i / group, rate);
    }
    return;
  }
  const StepInput last = step(steps - 1);
  check_rows(last, programs_.training(last.samples).batch());
  device().wait(*stream_, input.slot.ready());
  for (const Launch& launch : keep_steps(arenas().steps, numbers(t, 0, rows, input.pass),
                                         input.samples, learning_rates, group)) {
    device().launch(*stream_, launch);
  }
  clock_.begin(*stream_);
  groups_.run(device(), *stream_, {input.slot.memory(input.first), rows, input.samples},
              context_->options.graphs, [&] {
                for (std::int64_t i = 0; i < steps; ++i) {
                  device().launch(*stream_, begin_step(arenas().scalars, arenas().steps + i));
                  Program& program = programs_.training(step(i).samples);
                  const InputMemory memory = input.slot.memory(step(i).first);
                  program.queue(device(), *stream_, group == 1 ? kTrain : kDifferentiate | kSum,
                                memory);
                  if (group > 1 && ends_update(i)) {
                    program.queue(device(), *stream_, kUpdate, memory);
                  }
                }
              });
  clock_.end(*stream_);
  device().record(input.slot.consumed(), *stream_);
  samples_under_way_ += input.samples;
}

}  // namespace millrace::gpu::detail
