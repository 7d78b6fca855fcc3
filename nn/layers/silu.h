#pragma once
// The sigmoid linear unit, also called swish: x / (1 + exp(-x)).

#include <millrace/nn/layers/elementwise.h>

#include <cmath>

namespace millrace::nn {

struct Silu : Elementwise<Silu> {
  static constexpr LayerFacts kFacts{.name = "silu", .stem = "silu", .keeps_order = true};
  static constexpr bool kFromInput = true;
  template <class Real>
  MILLRACE_HOST_DEVICE Real value(Real x) const {
    return x / (1 + std::exp(-x));
  }
  template <class Real>
  MILLRACE_HOST_DEVICE Real gradient(Real dy, Real x) const {
    const Real sigmoid = 1 / (1 + std::exp(-x));
    return dy * sigmoid * (1 + x * (1 - sigmoid));
  }
};

}  // namespace millrace::nn
