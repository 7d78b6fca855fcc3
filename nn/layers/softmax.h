#pragma once
// Probabilities from logits.

#include <millrace/nn/layers/layer.h>

namespace millrace::nn {

struct Softmax {  ///< exp(x) / sum of exp(x) over the last dimension
  static constexpr LayerFacts kFacts{.name = "softmax", .stem = "softmax", .keeps_order = true};

  [[nodiscard]] LayerShape infer(const LayerInput& input) const {
    return {.output = input.shape()};
  }
  [[nodiscard]] Derivative derivative(bool) const { return {.data = {operand::y}}; }
  template <class Real>
  void forward(const reference::BasicCall<Real>& call) const;
  template <class Real>
  void backward(const reference::BasicCall<Real>& call) const;
  friend bool operator==(const Softmax&, const Softmax&) = default;
};

}  // namespace millrace::nn
