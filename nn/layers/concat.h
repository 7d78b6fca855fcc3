#pragma once
// Tensors side by side.

#include <millrace/nn/layers/layer.h>

namespace millrace::nn {

/// Of two or more inputs, which differ in their channels (or features) alone: those of the first,
/// then those of the second, ...
struct Concat {
  static constexpr LayerFacts kFacts{
      .name = "concat", .stem = "concat", .least_inputs = 2, .most_inputs = kAnyNumber};

  [[nodiscard]] LayerShape infer(const LayerInput& input) const;
  [[nodiscard]] Derivative derivative(bool) const { return {}; }
  template <class Real>
  void forward(const reference::BasicCall<Real>& call) const;
  template <class Real>
  void backward(const reference::BasicCall<Real>& call) const;
  friend bool operator==(const Concat&, const Concat&) = default;
};

}  // namespace millrace::nn
