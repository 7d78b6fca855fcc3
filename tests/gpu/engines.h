#pragma once
// The engine on the recording device, for tests.

#include <millrace/gpu/engine.h>
#include <millrace/gpu/recording_device.h>
#include <millrace/nn/reference_engine.h>

#include <memory>
#include <string>
#include <vector>

#include "catch.h"
#include "engines/compare.h"

namespace millrace::test {

/// An engine and its device, which finds nothing wrong with what the engine asked for.
struct RecordedEngine {
  explicit RecordedEngine(const gpu::EngineOptions& options = {}, const gpu::Faults& faults = {})
      : device(gpu::RecordingDevice::make(faults)), engine(gpu::make_engine(device, options)) {}
  explicit RecordedEngine(nn::Precision precision)
      : RecordedEngine(gpu::EngineOptions{.precision = precision}) {}

  void check_device() const {
    for (const std::string& violation : device->violations()) FAIL_CHECK(violation);
  }

  std::shared_ptr<gpu::RecordingDevice> device;
  std::shared_ptr<nn::Engine> engine;
};

/// float32 sums in any order; products of 10 bits of mantissa; a flipped rounding of 16 bits here
/// and there.
inline Nearness nearness_of(nn::Precision precision) {
  switch (precision) {
    case nn::Precision::tf32: return {.tolerance = 1e-3};
    case nn::Precision::fp16: return {.tolerance = 2e-3, .by_norm = true};
    case nn::Precision::bf16: return {.tolerance = 1e-2, .by_norm = true};
    default: return {};
  }
}

/// The float64 reference, which rounds where 16-bit precisions do.
inline nn::ReferenceEngine reference_for(nn::Precision precision) {
  const bool is_16_bit = nn::storage_of(precision) != DType::f32;
  return nn::ReferenceEngine({.precision = is_16_bit ? precision : nn::Precision::fp32});
}

/// check_model in these precisions.
inline void check_model(const nn::Model& model, const nn::CompileOptions& options,
                        const std::vector<std::int64_t>& samples,
                        const std::vector<nn::Precision>& precisions = {nn::Precision::fp32,
                                                                        nn::Precision::fp16,
                                                                        nn::Precision::bf16},
                        const gpu::Faults& faults = {}) {
  for (const nn::Precision precision : precisions) {
    INFO(nn::to_string(precision));
    const RecordedEngine tested({.precision = precision}, faults);
    check_model(*tested.engine, reference_for(precision), model, options, samples,
                nearness_of(precision));
    tested.check_device();
  }
}

/// A slot with a batch in it, uploaded and cast as it is.
inline std::unique_ptr<nn::DeviceInput> slot_with(const nn::Engine& engine, const nn::Model& model,
                                                  const nn::Batch& batch, std::int64_t capacity) {
  auto slot =
      engine.device_input({.sample = model.input, .pixels = DType::f32, .capacity = capacity});
  slot->upload({.pixels = batch.input.data,
                .labels = batch.labels.as<std::int32_t>(),
                .weights = batch.weights,
                .draws = batch.draws,
                .pass = batch.pass,
                .samples = batch.samples})
      .wait();
  const auto channels = static_cast<std::size_t>(model.input[-1]);
  slot->cast({std::vector<float>(channels, 1.0F), std::vector<float>(channels, 0.0F)}).wait();
  return slot;
}

/// The same batch, on the device.
inline nn::Batch in_slot(const nn::Batch& batch, nn::DeviceInput& slot) {
  nn::Batch other;
  other.samples = batch.samples;
  other.pass = batch.pass;
  other.device = &slot;
  return other;
}

}  // namespace millrace::test
