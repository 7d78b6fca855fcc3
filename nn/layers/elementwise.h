#pragma once
// What activations have in common that take elements one by one and whose slope follows from what
// they made.

#include <millrace/core/host_device.h>
#include <millrace/nn/layers/layer.h>
#include <millrace/nn/reference/call.h>

#include <algorithm>

namespace millrace::nn {

/// The base of a kind that says, for host and device, float and double,
///   template <class Real> MILLRACE_HOST_DEVICE static Real value(Real x)
///   template <class Real> MILLRACE_HOST_DEVICE static Real gradient(Real dy, Real y)
/// where y is what value() made.
template <class Kind>
struct Elementwise {
  [[nodiscard]] LayerShape infer(const LayerInput& input) const {
    return {.output = input.shape()};
  }
  [[nodiscard]] Derivative derivative(bool) const { return {.data = {operand::y}}; }
  void forward(const reference::Call& call) const {
    const reference::In x = call.x();
    std::transform(x.begin(), x.end(), call.y().begin(), Kind::template value<double>);
  }
  void backward(const reference::Call& call) const {
    const reference::In dy = call.dy(), y = call.in(operand::y);
    std::transform(dy.begin(), dy.end(), y.begin(), call.dx().begin(),
                   Kind::template gradient<double>);
  }
  friend bool operator==(const Elementwise&, const Elementwise&) = default;
};

}  // namespace millrace::nn
