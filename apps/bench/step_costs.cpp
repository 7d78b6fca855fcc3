#include "apps/bench/step_costs.h"

#include <millrace/core/random.h>
#include <millrace/cpu/engine.h>
#include <millrace/io/watch.h>
#include <millrace/nn/loss.h>
#include <millrace/training/find_model.h>

#include <chrono>
#include <ctime>

namespace millrace::apps {

double process_cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

StepBench::StepBench(const Training& training) : training_(training) {
  const std::int64_t samples = training.compile.batch;
  const std::int64_t outputs = output_width(training.model);
  const Shape shape = training.model.input.with_front(samples);
  Random random(training.spec.seed, 0, 0, Purpose::synthetic);
  input_.resize(static_cast<std::size_t>(shape.elements()));
  for (float& value : input_) value = static_cast<float>(random.uniform());
  batch_.input = ConstTensorView(std::span<const float>(input_), shape);
  batch_.samples = samples;
  const nn::Loss loss = training.compile.loss.value_or(nn::default_loss(training.model));
  if (nn::loss_info(loss).takes_class_numbers(outputs)) {
    const std::int64_t classes = nn::loss_info(loss).classes(outputs);
    labels_.resize(static_cast<std::size_t>(samples));
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      labels_[i] = static_cast<std::int32_t>(static_cast<std::int64_t>(i) % classes);
    }
    batch_.labels = ConstTensorView(std::span<const std::int32_t>(labels_), {samples});
  } else {
    dense_labels_.resize(static_cast<std::size_t>(samples * outputs));
    batch_.labels = ConstTensorView(std::span<const float>(dense_labels_), {samples, outputs});
  }
}

StepCosts StepBench::measure(std::int64_t steps, const std::stop_token& stop) {
  nn::Executor& executor = *training_.state->executor;
  const auto repeat = [steps, &stop](auto&& body) {
    for (std::int64_t i = 0; i < steps; ++i) {
      if (stop.stop_requested()) throw Stopped("stopped on request");
      body();
    }
  };
  const auto train = [&] { executor.train(batch_, ++step_, 1e-3); };
  StepCosts costs;
  const auto begin = std::chrono::steady_clock::now();
  repeat(train);
  const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - begin;
  costs.loop_ms = taken.count() / static_cast<double>(steps);
  const double start = process_cpu_seconds();
  repeat([&] { cpu::run_bare_step(executor, batch_); });
  costs.bare_ms = 1e3 * (process_cpu_seconds() - start) / static_cast<double>(steps);
  executor.reset_timings(true);
  repeat(train);
  for (const nn::OpTiming& operation : executor.timings()) {
    if (operation.name != "update") continue;  // all threads work on it, for as long
    costs.update_ms = 1e3 * operation.seconds / static_cast<double>(operation.calls) *
                      training_.spec.machine.compute_threads;
  }
  executor.reset_timings(false);
  return costs;
}

}  // namespace millrace::apps
