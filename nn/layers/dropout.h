#pragma once
// Random zeros in training.

#include <millrace/nn/layers/layer.h>

namespace millrace::nn {

struct Dropout {  ///< training only: zero with probability `rate`, the rest / (1 - rate)
  float rate = 0.5F;

  static constexpr LayerFacts kFacts{.name = "dropout", .stem = "dropout", .keeps_order = true};
  static constexpr int kMask = 0;  ///< saved: 0 or 1 an element, see nn/dropout.h

  void list(FieldList& fields) { fields.required("rate", &rate); }
  [[nodiscard]] LayerShape infer(const LayerInput& input) const;
  [[nodiscard]] Derivative derivative(bool) const { return {.data = {operand::saved(kMask)}}; }
  [[nodiscard]] bool is_identity(bool training) const { return !training || rate == 0; }
  void forward(const reference::Call& call) const;
  void backward(const reference::Call& call) const;
  friend bool operator==(const Dropout&, const Dropout&) = default;
};

}  // namespace millrace::nn
