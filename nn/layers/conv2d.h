#pragma once
// A convolution of images.

#include <millrace/nn/layers/layer.h>

namespace millrace::nn {

/// Cross-correlation. The kernel is [filters][channels / groups][rows][columns]: of as many groups
/// each has its share of the channels and makes its share of the filters. Depthwise: a channel a
/// group.
struct Conv2D {
  std::int64_t filters = 0;
  std::int64_t rows = 3, columns = 3;
  Pair stride{1};
  Padding padding = Padding::valid;
  bool bias = true;
  std::int64_t groups = 1;
  Pair dilation{1};

  static constexpr LayerFacts kFacts{.name = "conv2d", .stem = "conv", .has_kernel = true};

  void list(FieldList& fields);
  [[nodiscard]] SlidingWindow window() const {
    return {.size = {rows, columns}, .stride = stride, .dilation = dilation, .padding = padding};
  }
  [[nodiscard]] LayerShape infer(const LayerInput& input) const;
  [[nodiscard]] Derivative derivative(bool) const {
    return {.data = {operand::parameter(Role::kernel)}, .parameters = {operand::x}};
  }
  template <class Real>
  void forward(const reference::BasicCall<Real>& call) const;
  template <class Real>
  void backward(const reference::BasicCall<Real>& call) const;
  friend bool operator==(const Conv2D&, const Conv2D&) = default;
};

}  // namespace millrace::nn
