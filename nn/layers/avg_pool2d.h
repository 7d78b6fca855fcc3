#pragma once
// The mean of each channel in a sliding window.

#include <millrace/nn/layers/layer.h>

namespace millrace::nn {

struct AvgPool2D {  ///< the mean of the pixels inside the image; padding is not counted
  std::int64_t size = 2, stride = 2;
  Padding padding = Padding::valid;

  static constexpr LayerFacts kFacts{.name = "avg_pool2d", .stem = "avg_pool"};

  void list(FieldList& fields);
  [[nodiscard]] LayerShape infer(const LayerInput& input) const;
  [[nodiscard]] Derivative derivative(bool) const { return {}; }
  void forward(const reference::Call& call) const;
  void backward(const reference::Call& call) const;
  friend bool operator==(const AvgPool2D&, const AvgPool2D&) = default;
};

}  // namespace millrace::nn
