#pragma once
// The maximum of each channel in a sliding window.

#include <millrace/nn/layers/layer.h>

namespace millrace::nn {

struct MaxPool2D {  ///< padding never wins
  Pair size{2}, stride{2};
  Padding padding = Padding::valid;
  bool ceil = false;  ///< see SlidingWindow

  static constexpr LayerFacts kFacts{.name = "max_pool2d", .stem = "max_pool"};
  static constexpr int kIndices =
      0;  ///< saved: where each maximum came from, the first of equal ones

  void list(FieldList& fields);
  [[nodiscard]] SlidingWindow window() const {
    return {.size = size, .stride = stride, .padding = padding, .ceil = ceil};
  }
  [[nodiscard]] LayerShape infer(const LayerInput& input) const;
  [[nodiscard]] Derivative derivative(bool) const { return {.data = {operand::saved(kIndices)}}; }
  template <class Real>
  void forward(const reference::BasicCall<Real>& call) const;
  template <class Real>
  void backward(const reference::BasicCall<Real>& call) const;
  friend bool operator==(const MaxPool2D&, const MaxPool2D&) = default;
};

}  // namespace millrace::nn
