#pragma once
// The rectified linear unit with a ceiling: min(max(x, 0), 6).

#include <millrace/nn/layers/elementwise.h>

namespace millrace::nn {

struct Relu6 : Elementwise<Relu6> {  ///< PyTorch's: no slope at 0 and at 6
  static constexpr LayerFacts kFacts{.name = "relu6", .stem = "relu6_", .keeps_order = true};
  template <class Real>
  MILLRACE_HOST_DEVICE Real value(Real x) const {
    const Real bounded = x > 6 ? Real(6) : x;
    return x < 0 ? Real(0) : bounded;
  }
  template <class Real>
  MILLRACE_HOST_DEVICE Real gradient(Real dy, Real y) const {
    return y > 0 && y < 6 ? dy : Real(0);
  }
};

}  // namespace millrace::nn
