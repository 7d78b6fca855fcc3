#pragma once
// A convolution of images.

#include <millrace/nn/layers/layer.h>

namespace millrace::nn {

struct Conv2D {  ///< kernel [filters][channels][rows][columns], cross-correlation
  std::int64_t filters = 0;
  std::int64_t rows = 3, columns = 3;
  std::int64_t stride = 1;
  Padding padding = Padding::valid;
  bool bias = true;

  static constexpr LayerFacts kFacts{.name = "conv2d", .stem = "conv", .has_kernel = true};

  void list(FieldList& fields);
  [[nodiscard]] LayerShape infer(const LayerInput& input) const;
  [[nodiscard]] Derivative derivative(bool) const {
    return {.data = {operand::parameter(Role::kernel)}, .parameters = {operand::x}};
  }
  void forward(const reference::Call& call) const;
  void backward(const reference::Call& call) const;
  friend bool operator==(const Conv2D&, const Conv2D&) = default;
};

}  // namespace millrace::nn
