#pragma once
// Layer normalisation.

#include <millrace/nn/layers/layer.h>

namespace millrace::nn {

/// Over the last dimension: the channels of each pixel, or the features of a sample, have mean 0
/// and variance 1 (the biased one), times gamma, plus beta.
struct LayerNorm {
  float epsilon = 1e-5F;

  static constexpr LayerFacts kFacts{
      .name = "layer_norm", .stem = "layer_norm", .keeps_order = true};
  /// Saved, of each pixel: its mean, and 1 / sqrt(variance + epsilon).
  static constexpr int kMean = 0, kInverse = 1;

  void list(FieldList& fields) { fields.optional("epsilon", &epsilon); }
  [[nodiscard]] LayerShape infer(const LayerInput& input) const;
  [[nodiscard]] Derivative derivative(bool trains) const;
  template <class Real>
  void forward(const reference::BasicCall<Real>& call) const;
  template <class Real>
  void backward(const reference::BasicCall<Real>& call) const;
  friend bool operator==(const LayerNorm&, const LayerNorm&) = default;
};

}  // namespace millrace::nn
