#pragma once
// The common part of activations that work element by element and whose slope follows from their
// input or from their output.

#include <millrace/core/host_device.h>
#include <millrace/nn/layers/layer.h>
#include <millrace/nn/reference/call.h>

#include <algorithm>

namespace millrace::nn {

/// The base of a kind that says, for host and device, float and double,
///   template <class Real> MILLRACE_HOST_DEVICE Real value(Real x) const
///   template <class Real> MILLRACE_HOST_DEVICE Real gradient(Real dy, Real y) const
/// where y is what value() made; or, with kFromInput,
///   static constexpr bool kFromInput = true
///   template <class Real> MILLRACE_HOST_DEVICE Real gradient(Real dy, Real x) const
/// A kind that is none of the library's then has loops for the CPU engine too. What is made of a
/// NaN is one: a diverged run must not look healthy. A kind with options has list() and == of its
/// own, and check(), which refuses what they must not be.
template <class Kind>
struct Elementwise {
  static constexpr bool kFromInput = false;

  /// What gradient() reads beside dy.
  [[nodiscard]] static constexpr Operand read_by_gradient() {
    return Kind::kFromInput ? operand::x : operand::y;
  }
  [[nodiscard]] LayerShape infer(const LayerInput& input) const {
    if constexpr (requires { kind().check(input); }) kind().check(input);
    return {.output = input.shape()};
  }
  [[nodiscard]] Derivative derivative(bool) const { return {.data = {read_by_gradient()}}; }
  template <class Real>
  void forward(const reference::BasicCall<Real>& call) const {
    const auto x = call.x();
    std::transform(x.begin(), x.end(), call.y().begin(),
                   [this](Real v) { return kind().value(v); });
  }
  template <class Real>
  void backward(const reference::BasicCall<Real>& call) const {
    const auto dy = call.dy(), read = call.in(read_by_gradient());
    std::transform(dy.begin(), dy.end(), read.begin(), call.dx().begin(),
                   [this](Real d, Real v) { return kind().gradient(d, v); });
  }
  friend bool operator==(const Elementwise&, const Elementwise&) = default;

 private:
  [[nodiscard]] const Kind& kind() const { return static_cast<const Kind&>(*this); }
};

}  // namespace millrace::nn
