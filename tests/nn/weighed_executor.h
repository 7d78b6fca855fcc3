#pragma once
// Executors with weights that are written down by hand, and samples for them.

#include "catch.h"

#include <millrace/nn/reference/engine.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace millrace::nn::test {

using Weights = std::map<std::string, std::vector<float>>;

inline std::unique_ptr<ReferenceExecutor> compiled(const ReferenceOptions& options,
                                                   const Model& model, const Weights& weights,
                                                   CompileOptions compile = {}) {
  auto executor = ReferenceEngine(options).compile_reference(model, compile);
  executor->allocate();
  std::vector<float> arena(executor->parameters().size());
  for (const Parameter& p : parameters(model)) {
    const std::vector<float>& values = weights.at(p.name);
    REQUIRE(values.size() == static_cast<std::size_t>(p.shape.elements()));
    std::copy(values.begin(), values.end(), arena.begin() + p.offset);
  }
  executor->write(Arena::parameters, arena);
  return executor;
}

struct Samples {
  std::vector<float> input;
  std::vector<std::int32_t> labels;
  std::vector<float> weights{};

  [[nodiscard]] Batch batch() const {
    const auto count = static_cast<std::int64_t>(labels.size());
    const auto features = static_cast<std::int64_t>(input.size()) / count;
    return {.input = ConstTensorView(std::span(input), {count, features}),
            .labels = ConstTensorView(std::span(labels), {count}),
            .weights = weights,
            .samples = count};
  }
};

}  // namespace millrace::nn::test
