#include <millrace/nn/engine.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace millrace::nn {
namespace {

void check_rows(const char* what, const ConstTensorView& view, std::int64_t samples) {
  if (view.data == nullptr) throw Error(concat("batch: ", what, ": no data"));
  if (view.shape.rank() == 0 || view.shape[0] < samples) {
    throw Error(
        concat("batch: ", what, ": ", view.shape, " has fewer rows than ", samples, " samples"));
  }
}

/// One for each value of its label, or one.
std::size_t weights_a_sample(const Batch& batch) {
  if (!batch.weighs_outputs || batch.labels.shape.rank() == 0) return 1;
  return static_cast<std::size_t>(batch.labels.shape.without_front().elements());
}

}  // namespace

void validate(const CompileOptions& options) {
  const auto require_batch = [](std::int64_t value, const char* option, std::int64_t most) {
    if (value >= 1 && value <= most) return;
    throw UsageError(concat(option, ": ", value, " is not in 1 to ", most));
  };
  require_batch(options.batch, "batch", std::numeric_limits<std::int64_t>::max());
  for (const std::int64_t other : options.other_batches) {
    require_batch(other, "other batches", options.batch);
  }
  if (options.accumulate < 1) {
    throw UsageError(concat("accumulate: expected 1 or more batches, not ", options.accumulate));
  }
  if (!(options.label_smoothing >= 0 && options.label_smoothing < 1)) {
    throw UsageError(concat("label_smoothing: expected 0 <= label_smoothing < 1, not ",
                            options.label_smoothing));
  }
  if (options.average && !(*options.average > 0 && *options.average < 1)) {
    throw UsageError(
        concat("average: expected a momentum 0 < average < 1, not ", *options.average));
  }
  if (options.training) validate(options.optimizer);
  validate(options.gradient);
}

void check_accumulates(const CompileOptions& options) {
  if (options.accumulate > 1 && options.training) return;
  throw Error("the model was compiled for one update a batch; set CompileOptions::accumulate");
}

void check_group(std::int64_t samples) {
  if (samples > 0) return;
  throw Error("an update without gradients: start_accumulate() comes before start_update()");
}

void check_not_swapped(const Executor& executor) {
  if (!executor.is_swapped()) return;
  throw Error(
      "an update while averages are in place of the weights; call swap_average() again first, or "
      "leave that to AverageScope");
}

void check_keeps_average(const Executor& executor) {
  if (executor.keeps_average()) return;
  throw Error(concat("the model '", executor.model().name,
                     "' was compiled without an average of its weights to exchange them with; set "
                     "CompileOptions::average and training"));
}

void check_initialised(const Executor& executor, bool has_parameters) {
  if (has_parameters) return;
  throw Error(concat("the model '", executor.model().name,
                     "' has no weights to train yet: write(Arena::parameters, ...) what "
                     "initialize() fills, or begin with make_executor()"));
}

void Executor::drop_group() {
  if (accumulates() == 1) return;
  throw Error("this executor accumulates gradients and cannot drop a group of batches");
}

void Executor::swap_average() {
  check_keeps_average(*this);
  throw Error("this executor keeps averages and cannot exchange weights with them");
}

Bytes total(const std::vector<MemoryLine>& lines) {
  Bytes sum;
  for (const MemoryLine& line : lines) sum += line.bytes;
  return sum;
}

void check_steps(std::int64_t samples, std::int64_t rows, std::int64_t accumulate,
                 std::size_t learning_rates) {
  const std::int64_t of_update = rows * accumulate;
  MILLRACE_CHECK(rows > 0 && static_cast<std::int64_t>(learning_rates) ==
                                 (samples + of_update - 1) / of_update,
                 "a learning rate for each of the updates by ", of_update, " of ", samples,
                 " samples, not ", learning_rates);
}

void check_batch(const Batch& batch, const Model& model, std::int64_t max_samples,
                 bool needs_labels) {
  if (batch.samples < 1 || batch.samples > max_samples) {
    throw Error(concat("batch: ", batch.samples, " samples; the model was compiled for 1 to ",
                       max_samples));
  }
  check_rows("input", batch.input, batch.samples);
  if (batch.input.dtype != DType::f32 || batch.input.shape.without_front() != model.input) {
    throw Error(concat("batch: input: ", to_string(batch.input.dtype), " ", batch.input.shape,
                       "; the model '", model.name, "' needs f32 [samples]x", model.input));
  }
  const auto samples = static_cast<std::size_t>(batch.samples);
  if (!batch.positions.empty() && batch.positions.size() < samples) {
    throw Error(concat("batch: ", batch.positions.size(), " positions for ", samples, " samples"));
  }
  if (!needs_labels) return;
  check_rows("labels", batch.labels, batch.samples);
  const std::size_t weights = samples * weights_a_sample(batch);
  if (!batch.weights.empty() && batch.weights.size() < weights) {
    throw Error(concat("batch: ", batch.weights.size(), " weights for ", samples, " samples",
                       batch.weighs_outputs ? concat(", which have ", weights, " outputs") : ""));
  }
}

Batch slice(const Batch& batch, std::int64_t first, std::int64_t count) {
  MILLRACE_CHECK(first >= 0 && count >= 0 && first + count <= batch.samples, "rows ", first, " to ",
                 first + count, " of a batch of ", batch.samples);
  MILLRACE_CHECK(batch.device == nullptr, "a batch on a device is not sliced on the host");
  const auto rows_of = [&](const ConstTensorView& all) {
    if (all.data == nullptr) return all;
    const auto row =
        static_cast<std::int64_t>(size_of(all.dtype)) * all.shape.without_front().elements();
    return ConstTensorView(all.data + first * row, all.shape.without_front().with_front(count),
                           all.dtype);
  };
  const auto part_of = [&](auto all, std::size_t width) {
    return all.empty() ? all
                       : all.subspan(static_cast<std::size_t>(first) * width,
                                     static_cast<std::size_t>(count) * width);
  };
  Batch part = batch;
  part.input = rows_of(batch.input);
  part.labels = rows_of(batch.labels);
  part.weights = part_of(batch.weights, weights_a_sample(batch));
  part.positions = part_of(batch.positions, 1);
  part.samples = count;
  return part;
}

void Executor::start_train(const Batch& batch, std::int64_t t, double learning_rate) {
  finished_ += train(batch, t, learning_rate);
}

void Executor::start_evaluate(const Batch& batch) {
  finished_ += evaluate(batch);
}

void Executor::start_steps(const Batch& batch, std::int64_t rows, std::int64_t t,
                           std::span<const double> learning_rates) {
  check_steps(batch.samples, rows, accumulates(), learning_rates.size());
  for (std::int64_t first = 0; first < batch.samples; first += rows) {
    const std::int64_t step = first / rows, update = step / accumulates();
    const Batch part = slice(batch, first, std::min(rows, batch.samples - first));
    const double rate = learning_rates[static_cast<std::size_t>(update)];
    if (accumulates() == 1) {
      start_train(part, t + step, rate);
      continue;
    }
    start_accumulate(part, step % accumulates() == 0);
    const bool is_last = first + rows >= batch.samples;
    if (is_last || (step + 1) % accumulates() == 0) start_update(t + update, rate);
  }
}

void Executor::start_accumulate(const Batch& /*batch*/, bool /*begins_group*/) {
  check_accumulates({});
}

void Executor::start_update(std::int64_t /*t*/, double /*learning_rate*/) {
  check_accumulates({});
}

StepResult Executor::finish() {
  return std::exchange(finished_, {});
}

std::vector<float> Executor::read(Arena arena) const {
  const std::vector<Parameter> all = parameters(model());
  std::vector<float> values(static_cast<std::size_t>(
      arena == Arena::parameters ? arena_elements(all) : trainable_elements(all)));
  read(arena, values);
  return values;
}

std::unique_ptr<DeviceInput> Engine::device_input(const DeviceInputLayout&) const {
  throw Error(concat(description(), ": steps read host memory; there is nothing to copy to"));
}

std::shared_ptr<ResidentPixels> Engine::resident_pixels(const Shape&, DType, std::int64_t) const {
  throw Error(concat(description(), ": steps read host memory; there is nothing to copy to"));
}

}  // namespace millrace::nn
