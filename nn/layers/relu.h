#pragma once
// The rectified linear unit: max(x, 0).

#include <millrace/nn/layers/elementwise.h>

namespace millrace::nn {

struct Relu : Elementwise<Relu> {
  static constexpr LayerFacts kFacts{.name = "relu", .stem = "relu", .keeps_order = true};
  template <class Real>
  MILLRACE_HOST_DEVICE Real value(Real x) const {
    return x < 0 ? Real(0) : x;
  }
  template <class Real>
  MILLRACE_HOST_DEVICE Real gradient(Real dy, Real y) const {
    return y > 0 ? dy : Real(0);
  }
};

}  // namespace millrace::nn
