#pragma once
// Whole samples skipped in training, for a branch beside a shortcut.

#include <millrace/nn/layers/layer.h>

namespace millrace::nn {

/// Training only: all elements of a sample are zero with probability `rate`, the rest / (1 - rate).
/// Whether a sample is left out is what dropout_mask() says of its first element.
struct StochasticDepth {
  float rate = 0.2F;

  static constexpr LayerFacts kFacts{
      .name = "stochastic_depth", .stem = "stochastic_depth", .keeps_order = true};
  static constexpr int kMask = 0;  ///< saved: 0 or 1 a sample

  void list(FieldList& fields) { fields.required("rate", &rate); }
  [[nodiscard]] LayerShape infer(const LayerInput& input) const;
  [[nodiscard]] Derivative derivative(bool) const { return {.data = {operand::saved(kMask)}}; }
  [[nodiscard]] bool is_identity(bool training) const { return !training || rate == 0; }
  template <class Real>
  void forward(const reference::BasicCall<Real>& call) const;
  template <class Real>
  void backward(const reference::BasicCall<Real>& call) const;
  friend bool operator==(const StochasticDepth&, const StochasticDepth&) = default;
};

}  // namespace millrace::nn
