#include <millrace/nodes/device_batch.h>

#include <millrace/core/error.h>

namespace millrace {
namespace {

std::uint64_t label_bytes(std::int64_t target_width) {
  return target_width == 0 ? sizeof(std::int32_t)
                           : static_cast<std::uint64_t>(target_width) * sizeof(float);
}

}  // namespace

nn::Batch DeviceBatch::view() const {
  nn::Batch batch;
  batch.device = device.get();
  if (device == nullptr) batch.input = {input.data(), sample.with_front(size), DType::f32};
  if (learns_input && device != nullptr)
    batch.labels = {};  // on the device alone
  else if (learns_input)
    batch.labels = {input.data(), Shape{size, sample.elements()}, DType::f32};
  else if (target_width > 0)
    batch.labels = {labels.data(), Shape{size, target_width}, DType::f32};
  else
    batch.labels = {labels.data(), Shape{size}, DType::i32};
  const std::int64_t weights_a_sample = weighs_outputs ? target_width : 1;
  batch.weights = std::span(weights).first(static_cast<std::size_t>(size * weights_a_sample));
  batch.weighs_outputs = weighs_outputs;
  batch.pass = pass;
  batch.positions = std::span(positions).first(static_cast<std::size_t>(size));
  batch.samples = size;
  return batch;
}

DeviceBatch DeviceBatchFactory::operator()() const {
  const auto n = static_cast<std::uint64_t>(capacity);
  DeviceBatch batch;
  batch.sample = sample;
  if (engine->shares_host_memory())
    batch.input = engine->device_buffer(Bytes{input_bytes()});
  else
    batch.device = engine->device_input(layout());
  batch.labels = Buffer(Bytes{n * label_bytes(target_width)});
  batch.target_width = target_width;
  batch.learns_input = learns_input;
  batch.weighs_outputs = weighs_outputs;
  batch.weights.resize(n * weights_a_sample(), 1.0F);
  batch.positions.resize(n);
  if (moves) batch.moves.resize(n);
  return batch;
}

Bytes DeviceBatchFactory::bytes() const {
  const auto n = static_cast<std::uint64_t>(capacity);
  const std::uint64_t input = engine->shares_host_memory() ? input_bytes() : 0;
  const std::uint64_t beside = weights_a_sample() * sizeof(float) + sizeof(std::uint64_t);
  return {input + n * (beside + label_bytes(target_width) + (moves ? sizeof(nn::Move) : 0))};
}

Bytes DeviceBatchFactory::device_bytes() const {
  return engine->shares_host_memory() ? Bytes{} : engine->device_input_bytes(layout());
}

std::uint64_t DeviceBatchFactory::input_bytes() const {
  return static_cast<std::uint64_t>(capacity * sample.elements()) * sizeof(float);
}

std::uint64_t DeviceBatchFactory::weights_a_sample() const {
  MILLRACE_CHECK(!weighs_outputs || target_width > 0, "outputs are weighed by their targets");
  return weighs_outputs ? static_cast<std::uint64_t>(target_width) : 1;
}

nn::DeviceInputLayout DeviceBatchFactory::layout() const {
  return {.sample = sample,
          .pixels = dtype,
          .capacity = capacity,
          .step = step,
          .target_width = target_width,
          .learns_input = learns_input,
          .weighs_outputs = weighs_outputs,
          .resident = resident,
          .moves = moves};
}

}  // namespace millrace
