#pragma once
// The hyperbolic tangent.

#include <millrace/nn/layers/elementwise.h>

#include <cmath>

namespace millrace::nn {

struct Tanh : Elementwise<Tanh> {
  static constexpr LayerFacts kFacts{.name = "tanh", .stem = "tanh", .keeps_order = true};
  template <class Real>
  MILLRACE_HOST_DEVICE Real value(Real x) const {
    return std::tanh(x);
  }
  template <class Real>
  MILLRACE_HOST_DEVICE Real gradient(Real dy, Real y) const {
    return dy * (1 - y) * (1 + y);
  }
};

}  // namespace millrace::nn
