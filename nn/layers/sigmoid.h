#pragma once
// The logistic function.

#include <millrace/nn/layers/layer.h>

namespace millrace::nn {

struct Sigmoid {  ///< 1 / (1 + exp(-x))
  static constexpr LayerFacts kFacts{.name = "sigmoid", .stem = "sigmoid", .keeps_order = true};

  [[nodiscard]] LayerShape infer(const LayerInput& input) const {
    return {.output = input.shape()};
  }
  [[nodiscard]] Derivative derivative(bool) const { return {.data = {operand::y}}; }
  void forward(const reference::Call& call) const;
  void backward(const reference::Call& call) const;
  friend bool operator==(const Sigmoid&, const Sigmoid&) = default;
};

}  // namespace millrace::nn
