#include <millrace/nodes/device_batch.h>

namespace millrace {

nn::Batch DeviceBatch::view() const {
  nn::Batch batch;
  batch.input = {input.data(), sample.with_front(size), DType::f32};
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
  batch.labels = engine->device_buffer(Bytes{n * sizeof(std::int32_t)});
  batch.weights.resize(n, 1.0F);
  batch.draws.resize(n);
  return batch;
}

Bytes DeviceBatchFactory::bytes() const {
  const auto n = static_cast<std::uint64_t>(capacity);
  const auto elements = n * static_cast<std::uint64_t>(sample.elements());
  const std::uint64_t pixels = engine->shares_host_memory() ? 0 : elements * size_of(dtype);
  constexpr std::uint64_t kBeside = sizeof(std::int32_t) + sizeof(float) + sizeof(std::uint64_t);
  return {pixels + elements * sizeof(float) + n * kBeside};
}

}  // namespace millrace
