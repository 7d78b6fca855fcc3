#include <millrace/nodes/device_batch.h>

namespace millrace {
namespace {

std::uint64_t label_bytes(std::int64_t target_width) {
  return target_width == 0 ? sizeof(std::int32_t)
                           : static_cast<std::uint64_t>(target_width) * sizeof(float);
}

}  // namespace

nn::Batch DeviceBatch::view() const {
  nn::Batch batch;
  batch.input = {input.data(), sample.with_front(size), DType::f32};
  if (learns_input)
    batch.labels = {input.data(), Shape{size, sample.elements()}, DType::f32};
  else if (target_width > 0)
    batch.labels = {labels.data(), Shape{size, target_width}, DType::f32};
  else
    batch.labels = {labels.data(), Shape{size}, DType::i32};
  batch.weights = std::span(weights).first(static_cast<std::size_t>(size));
  batch.pass = pass;
  batch.draws = std::span(draws).first(static_cast<std::size_t>(size));
  batch.samples = size;
  return batch;
}

DeviceBatch DeviceBatchFactory::operator()() const {
  const auto n = static_cast<std::uint64_t>(capacity);
  const auto elements = n * static_cast<std::uint64_t>(sample.elements());
  DeviceBatch batch;
  batch.sample = sample;
  if (!engine->shares_host_memory()) {
    batch.pixels = engine->device_buffer(Bytes{elements * size_of(dtype)});
  }
  batch.input = engine->device_buffer(Bytes{elements * sizeof(float)});
  batch.labels = engine->device_buffer(Bytes{n * label_bytes(target_width)});
  batch.target_width = target_width;
  batch.learns_input = learns_input;
  batch.weights.resize(n, 1.0F);
  batch.draws.resize(n);
  return batch;
}

Bytes DeviceBatchFactory::bytes() const {
  const auto n = static_cast<std::uint64_t>(capacity);
  const auto elements = n * static_cast<std::uint64_t>(sample.elements());
  const std::uint64_t pixels = engine->shares_host_memory() ? 0 : elements * size_of(dtype);
  constexpr std::uint64_t kBeside = sizeof(float) + sizeof(std::uint64_t);
  return {pixels + elements * sizeof(float) + n * (kBeside + label_bytes(target_width))};
}

}  // namespace millrace
