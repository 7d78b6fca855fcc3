#pragma once
// A fully connected layer.

#include <millrace/nn/layers/layer.h>

namespace millrace::nn {

struct Dense {  ///< y = x W^T + b; kernel [units][inputs]
  std::int64_t units = 0;
  bool bias = true;

  static constexpr LayerFacts kFacts{.name = "dense", .stem = "dense", .has_kernel = true};

  void list(FieldList& fields);
  [[nodiscard]] LayerShape infer(const LayerInput& input) const;
  [[nodiscard]] Derivative derivative(bool) const {
    return {.data = {operand::parameter(Role::kernel)}, .parameters = {operand::x}};
  }
  template <class Real>
  void forward(const reference::BasicCall<Real>& call) const;
  template <class Real>
  void backward(const reference::BasicCall<Real>& call) const;
  friend bool operator==(const Dense&, const Dense&) = default;
};

}  // namespace millrace::nn
