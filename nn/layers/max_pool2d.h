#pragma once
// The maximum of each channel in a sliding window.

#include <millrace/nn/layers/layer.h>

namespace millrace::nn {

struct MaxPool2D {  ///< window size x size; padding never wins
  std::int64_t size = 2, stride = 2;
  Padding padding = Padding::valid;

  static constexpr LayerFacts kFacts{.name = "max_pool2d", .stem = "max_pool"};
  static constexpr int kIndices =
      0;  ///< saved: where each maximum came from, the first of equal ones

  void list(FieldList& fields);
  [[nodiscard]] LayerShape infer(const LayerInput& input) const;
  [[nodiscard]] Derivative derivative(bool) const { return {.data = {operand::saved(kIndices)}}; }
  void forward(const reference::Call& call) const;
  void backward(const reference::Call& call) const;
  friend bool operator==(const MaxPool2D&, const MaxPool2D&) = default;
};

}  // namespace millrace::nn
