#include "gpu/engines.h"

#include "gpu/device_under_test.h"

#include <cstring>
#include <string>

namespace millrace::test {

TestedEngine::TestedEngine(const gpu::EngineOptions& options)
    : device(gpu::test::fresh_device()),
      engine(gpu::make_engine(device, options)),
      launched_before_(gpu::test::launches()) {}

void TestedEngine::check_device() const {
  for (const std::string& violation : gpu::test::violations(*device)) FAIL_CHECK(violation);
  if (gpu::test::is_gpu()) CHECK(gpu::test::launches() > launched_before_);
}

bool computes(nn::Precision precision) {
  return precision != nn::Precision::bf16 ||
         gpu::test::device_under_test()->facts().capability >= 80;
}

Nearness nearness_of(nn::Precision precision) {
  switch (precision) {
    case nn::Precision::tf32: return {.tolerance = 1e-3, .by_norm = gpu::test::is_gpu()};
    case nn::Precision::fp16: return {.tolerance = 2e-3, .by_norm = true};
    case nn::Precision::bf16: return {.tolerance = 1e-2, .by_norm = true};
    case nn::Precision::fp32: break;
  }
  return {.tolerance = 1e-5, .by_norm = gpu::test::is_gpu()};
}

void check_model(const nn::Model& model, const nn::CompileOptions& options,
                 const std::vector<std::int64_t>& samples,
                 const std::vector<nn::Precision>& precisions) {
  for (const nn::Precision precision : precisions) {
    if (!computes(precision)) continue;
    INFO(nn::to_string(precision));
    const TestedEngine tested(precision);
    check_model(*tested.engine, reference_for(precision), model, options, samples,
                nearness_of(precision));
    tested.check_device();
  }
}

void fill(nn::DeviceInput& slot, const nn::Batch& batch, const std::byte* pixels) {
  slot.upload({.pixels = pixels,
               .labels = batch.labels.as<std::int32_t>(),
               .weights = batch.weights,
               .positions = batch.positions,
               .pass = batch.pass,
               .samples = batch.samples})
      .wait();
  const auto channels = static_cast<std::size_t>(batch.input.shape[-1]);
  slot.cast({std::vector<float>(channels, 1.0F), std::vector<float>(channels, 0.0F)}).wait();
}

std::unique_ptr<nn::DeviceInput> slot_with(const nn::Engine& engine, const nn::Model& model,
                                           const nn::Batch& batch, std::int64_t capacity) {
  auto slot =
      engine.device_input({.sample = model.input, .pixels = DType::f32, .capacity = capacity});
  fill(*slot, batch, batch.input.data);
  return slot;
}

nn::Batch in_slot(const nn::Batch& batch, nn::DeviceInput& slot) {
  nn::Batch other;
  other.samples = batch.samples;
  other.pass = batch.pass;
  other.device = &slot;
  return other;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

nn::Model small_convnet() {
  nn::ModelBuilder builder("cnn", {12, 10, 3});
  builder.conv(16).relu().max_pool().conv(12).batch_norm().relu().flatten();
  return builder.dropout(0.5F).dense(20).relu().dense(10).softmax().build();
}

nn::CompileOptions adam(std::int64_t batch) {
  return {.batch = batch,
          .optimizer = {.kind = nn::OptimizerKind::adam, .learning_rate = 1e-3},
          .seed = 3};
}

}  // namespace millrace::test
