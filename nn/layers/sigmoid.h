#pragma once
// The logistic function: 1 / (1 + exp(-x)).

#include <millrace/nn/layers/elementwise.h>

#include <cmath>

namespace millrace::nn {

struct Sigmoid : Elementwise<Sigmoid> {
  static constexpr LayerFacts kFacts{.name = "sigmoid", .stem = "sigmoid", .keeps_order = true};
  template <class Real>
  MILLRACE_HOST_DEVICE Real value(Real x) const {
    return 1 / (1 + std::exp(-x));
  }
  template <class Real>
  MILLRACE_HOST_DEVICE Real gradient(Real dy, Real y) const {
    return dy * y * (1 - y);
  }
};

}  // namespace millrace::nn
