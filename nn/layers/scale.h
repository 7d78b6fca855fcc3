#pragma once
// One trainable factor a channel: ConvNeXt's layer scale.

#include <millrace/nn/layers/layer.h>

namespace millrace::nn {

struct Scale {
  float first = 1;  ///< what the factors begin with

  static constexpr LayerFacts kFacts{.name = "scale", .stem = "scale", .keeps_order = true};

  void list(FieldList& fields) { fields.optional("first", &first); }
  [[nodiscard]] LayerShape infer(const LayerInput& input) const;
  [[nodiscard]] Derivative derivative(bool) const {
    return {.data = {operand::parameter(Role::gamma)}, .parameters = {operand::x}};
  }
  template <class Real>
  void forward(const reference::BasicCall<Real>& call) const;
  template <class Real>
  void backward(const reference::BasicCall<Real>& call) const;
  friend bool operator==(const Scale&, const Scale&) = default;
};

}  // namespace millrace::nn
