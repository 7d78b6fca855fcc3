#pragma once
// The sum of tensors, element by element: what a shortcut does.

#include <millrace/nn/layers/layer.h>

namespace millrace::nn {

struct Add {  ///< of two or more inputs of one shape
  static constexpr LayerFacts kFacts{.name = "add",
                                     .stem = "add",
                                     .keeps_order = true,
                                     .least_inputs = 2,
                                     .most_inputs = kAnyNumber};

  [[nodiscard]] LayerShape infer(const LayerInput& input) const;
  [[nodiscard]] Derivative derivative(bool) const { return {.passes_on = true}; }
  template <class Real>
  void forward(const reference::BasicCall<Real>& call) const;
  template <class Real>
  void backward(const reference::BasicCall<Real>&) const {}  // there is no operation
  friend bool operator==(const Add&, const Add&) = default;
};

}  // namespace millrace::nn
