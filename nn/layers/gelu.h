#pragma once
// The Gaussian error linear unit: x times the probability that a normal number is below x.

#include <millrace/nn/layers/elementwise.h>

#include <cmath>

namespace millrace::nn {

struct Gelu : Elementwise<Gelu> {  ///< by the error function, not one of the approximations
  static constexpr LayerFacts kFacts{.name = "gelu", .stem = "gelu", .keeps_order = true};
  static constexpr bool kFromInput = true;
  template <class Real>
  MILLRACE_HOST_DEVICE Real value(Real x) const {
    return x * below(x);
  }
  template <class Real>
  MILLRACE_HOST_DEVICE Real gradient(Real dy, Real x) const {
    const Real density = Real(0.39894228040143267794) * std::exp(-x * x / 2);  // 1 / sqrt(2 pi)
    return dy * (below(x) + x * density);
  }

 private:
  template <class Real>
  MILLRACE_HOST_DEVICE static Real below(Real x) {
    return Real(0.5) * std::erfc(-x * Real(0.70710678118654752440));  // 1 / sqrt(2)
  }
};

}  // namespace millrace::nn
