#pragma once
// A small model and samples for it, for tests of the reference engine.

#include <millrace/nn/initialize.h>
#include <millrace/nn/reference/engine.h>

#include <cmath>
#include <memory>
#include <vector>

namespace millrace::nn {

inline const Model kModel = ModelBuilder("m", {3}).dense(4).relu().dense(2).softmax().build();

inline std::vector<float> initial(const Model& model) {
  std::vector<float> arena(static_cast<std::size_t>(arena_elements(parameters(model))));
  initialize(model, 1, arena);
  return arena;
}

inline std::unique_ptr<ReferenceExecutor> compiled(const Model& model, CompileOptions options) {
  auto executor = ReferenceEngine().compile_reference(model, options);
  executor->allocate();
  executor->write(Arena::parameters, initial(model));
  return executor;
}

/// Four samples of three features with integer labels; `rows` more that nobody may read.
struct Samples {
  explicit Samples(std::int64_t valid, std::int64_t rows = 4) : count(valid) {
    for (std::int64_t i = 0; i < rows * 3; ++i) {
      const bool is_valid = i < valid * 3;
      input.push_back(is_valid ? std::sin(static_cast<float>(i)) : std::nanf(""));
    }
    for (std::int32_t n = 0; n < rows; ++n) labels.push_back(n < valid ? n % 2 : -1);
  }
  [[nodiscard]] Batch batch() const {
    const auto rows = static_cast<std::int64_t>(labels.size());
    return {.input = ConstTensorView(std::span(input), {rows, 3}),
            .labels = ConstTensorView(std::span(labels), {rows}),
            .samples = count};
  }
  std::vector<float> input;
  std::vector<std::int32_t> labels;
  std::int64_t count;
};

}  // namespace millrace::nn
