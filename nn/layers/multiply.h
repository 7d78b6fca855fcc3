#pragma once
// The product of two tensors: gates, as of squeeze-and-excitation.

#include <millrace/nn/layers/layer.h>

namespace millrace::nn {

/// Element by element of two inputs of one shape, or of [N][H][W][C] and [N][C], one factor a
/// channel.
struct Multiply {
  static constexpr LayerFacts kFacts{.name = "multiply",
                                     .stem = "multiply",
                                     .keeps_order = true,
                                     .least_inputs = 2,
                                     .most_inputs = 2};

  [[nodiscard]] LayerShape infer(const LayerInput& input) const;
  [[nodiscard]] Derivative derivative(bool) const {
    return {.data = {operand::input(0), operand::input(1)}};
  }
  template <class Real>
  void forward(const reference::BasicCall<Real>& call) const;
  template <class Real>
  void backward(const reference::BasicCall<Real>& call) const;
  friend bool operator==(const Multiply&, const Multiply&) = default;
};

}  // namespace millrace::nn
