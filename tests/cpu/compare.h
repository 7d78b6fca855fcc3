#pragma once
// Models on oneDNN beside the float64 reference.

#include <millrace/cpu/engine.h>
#include <millrace/nn/reference/engine.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "catch.h"
#include "engines/compare.h"

namespace millrace::test {

/// One thread by default: on a busy machine OpenMP's threads wait for each other far longer than
/// such small models take.
inline void check_model(const nn::Model& model, const nn::CompileOptions& options,
                        const std::vector<std::int64_t>& samples,
                        const cpu::EngineOptions& engine = {.threads = 1}) {
  check_model(*cpu::make_engine(engine), nn::ReferenceEngine(), model, options, samples);
}

/// Gradients of five samples do not depend on what lies behind them in the caller's memory.
inline void check_rows_behind(const nn::Engine& engine, const nn::Model& model,
                              const nn::CompileOptions& options) {
  const auto tested = executor(engine, model, options);
  const OwnedBatch data(model, nn::default_loss(model), 5, 2);
  const OwnedBatch full(model, nn::default_loss(model), options.batch, 1);
  tested->gradients(full.batch());  // leaves other values where the missing rows would be
  tested->gradients(data.batch());
  const std::vector<float> expected = read(*tested, nn::Arena::gradients);
  const Shape padded = model.input.with_front(options.batch);
  std::vector<float> input(static_cast<std::size_t>(padded.elements()), NAN);
  std::ranges::copy(data.batch().input.as<float>(), input.begin());
  nn::Batch batch = data.batch();
  batch.input = ConstTensorView(std::span<const float>(input), padded);
  tested->gradients(batch);
  CHECK(read(*tested, nn::Arena::gradients) == expected);
}

/// Whether the library offers Winograd's algorithm for training: oneDNN 2 has it for AVX-512 only,
/// oneDNN 3.2 and later have none.
inline bool has_winograd(const cpu::EngineOptions& options) {
  const std::string description = cpu::make_engine(options)->description();
  return description.find("oneDNN 2.") != std::string::npos &&
         description.find("AVX-512") != std::string::npos;
}

}  // namespace millrace::test
