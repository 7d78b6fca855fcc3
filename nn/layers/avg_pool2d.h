#pragma once
// The mean of each channel in a sliding window.

#include <millrace/nn/layers/layer.h>

namespace millrace::nn {

struct AvgPool2D {  ///< the mean of what lies under the window
  Pair size{2}, stride{2};
  Padding padding = Padding::valid;
  bool ceil = false;  ///< see SlidingWindow
  /// Padding counts as pixels that are 0, as in PyTorch by default; else, as in
  /// Keras, it does not count.
  bool count_padding = false;

  static constexpr LayerFacts kFacts{.name = "avg_pool2d", .stem = "avg_pool"};

  void list(FieldList& fields);
  [[nodiscard]] SlidingWindow window() const {
    return {.size = size, .stride = stride, .padding = padding, .ceil = ceil};
  }
  [[nodiscard]] LayerShape infer(const LayerInput& input) const;
  [[nodiscard]] Derivative derivative(bool) const { return {}; }
  template <class Real>
  void forward(const reference::BasicCall<Real>& call) const;
  template <class Real>
  void backward(const reference::BasicCall<Real>& call) const;
  friend bool operator==(const AvgPool2D&, const AvgPool2D&) = default;
};

}  // namespace millrace::nn
