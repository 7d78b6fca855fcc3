#pragma once
// The rectified linear unit.

#include <millrace/nn/layers/layer.h>

namespace millrace::nn {

struct Relu {  ///< max(x, 0)
  static constexpr LayerFacts kFacts{.name = "relu", .stem = "relu", .keeps_order = true};

  [[nodiscard]] LayerShape infer(const LayerInput& input) const {
    return {.output = input.shape()};
  }
  [[nodiscard]] Derivative derivative(bool) const { return {.data = {operand::y}}; }
  void forward(const reference::Call& call) const;
  void backward(const reference::Call& call) const;
  friend bool operator==(const Relu&, const Relu&) = default;
};

}  // namespace millrace::nn
