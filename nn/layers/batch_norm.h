#pragma once
// Batch normalisation.

#include <millrace/nn/layers/layer.h>

namespace millrace::nn {

/// Over all dimensions but the last. Training: batch statistics of the valid samples, and
/// running = momentum * running + (1 - momentum) * batch (PyTorch's 0.1 is 0.9 here, Keras's 0.99
/// is 0.99). The running variance is the unbiased one, or with `biased_variance` Keras 3's.
struct BatchNorm {
  float momentum = 0.9F;
  float epsilon = 1e-5F;
  bool biased_variance = false;

  static constexpr LayerFacts kFacts{
      .name = "batch_norm", .stem = "batch_norm", .keeps_order = true, .mixes_rows = true};
  /// Saved [C], where the layer trains: statistics of the batch. A forward operation without them
  /// uses the running ones.
  static constexpr int kMean = 0, kVariance = 1;

  void list(FieldList& fields);
  [[nodiscard]] LayerShape infer(const LayerInput& input) const;
  [[nodiscard]] Derivative derivative(bool trains) const;
  template <class Real>
  void forward(const reference::BasicCall<Real>& call) const;
  template <class Real>
  void backward(const reference::BasicCall<Real>& call) const;
  friend bool operator==(const BatchNorm&, const BatchNorm&) = default;
};

}  // namespace millrace::nn
