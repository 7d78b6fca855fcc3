#pragma once
// What activations have in common that take elements one by one and whose slope follows from what
// they made.

#include <millrace/nn/layers/layer.h>
#include <millrace/nn/reference/call.h>

#include <algorithm>

namespace millrace::nn {

/// The base of a kind that says `static double value(double x)` and, from what that made,
/// `static double gradient(double dy, double y)`.
template <class Kind>
struct Elementwise {
  [[nodiscard]] LayerShape infer(const LayerInput& input) const {
    return {.output = input.shape()};
  }
  [[nodiscard]] Derivative derivative(bool) const { return {.data = {operand::y}}; }
  void forward(const reference::Call& call) const {
    const reference::In x = call.x();
    std::transform(x.begin(), x.end(), call.y().begin(), Kind::value);
  }
  void backward(const reference::Call& call) const {
    const reference::In dy = call.dy(), y = call.in(operand::y);
    std::transform(dy.begin(), dy.end(), y.begin(), call.dx().begin(), Kind::gradient);
  }
  friend bool operator==(const Elementwise&, const Elementwise&) = default;
};

}  // namespace millrace::nn
