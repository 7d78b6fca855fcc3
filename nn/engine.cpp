#include <millrace/nn/engine.h>

#include <millrace/core/error.h>

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
  if (!(options.label_smoothing >= 0 && options.label_smoothing < 1)) {
    throw UsageError(concat("label_smoothing: expected 0 <= label_smoothing < 1, not ",
                            options.label_smoothing));
  }
  if (options.training) validate(options.optimizer);
  validate(options.gradient);
}

Bytes total(const std::vector<MemoryLine>& lines) {
  Bytes sum;
  for (const MemoryLine& line : lines) sum += line.bytes;
  return sum;
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
  if (!needs_labels) return;
  check_rows("labels", batch.labels, batch.samples);
  const auto samples = static_cast<std::size_t>(batch.samples);
  if (!batch.weights.empty() && batch.weights.size() < samples) {
    throw Error(concat("batch: ", batch.weights.size(), " weights for ", samples, " samples"));
  }
  if (!batch.draws.empty() && batch.draws.size() < samples) {
    throw Error(concat("batch: ", batch.draws.size(), " draws for ", samples, " samples"));
  }
}

void Executor::start_train(const Batch& batch, std::int64_t t, double learning_rate) {
  finished_ += train(batch, t, learning_rate);
}

void Executor::start_evaluate(const Batch& batch) {
  finished_ += evaluate(batch);
}

StepResult Executor::finish() {
  return std::exchange(finished_, {});
}

std::unique_ptr<DeviceInput> Engine::device_input(const DeviceInputLayout&) const {
  throw Error(concat(description(), ": steps read host memory; there is nothing to copy to"));
}

}  // namespace millrace::nn
