#pragma once
// Mish of Misra, "Mish: a self regularized non-monotonic activation function", 2019:
// x tanh(log(1 + exp(x))).

#include <millrace/nn/layers/elementwise.h>

#include <cmath>

struct Mish : millrace::nn::Elementwise<Mish> {
  static constexpr millrace::nn::LayerFacts kFacts{
      .name = "mish", .stem = "mish", .keeps_order = true};
  static constexpr bool kFromInput = true;  // the slope does not follow from the output

  template <class Real>
  Real value(Real x) const {
    return x * std::tanh(std::log1p(std::exp(x)));
  }
  template <class Real>
  Real gradient(Real dy, Real x) const {
    const Real gate = std::tanh(std::log1p(std::exp(x)));
    const Real sigmoid = 1 / (1 + std::exp(-x));
    return dy * (gate + x * sigmoid * (1 - gate * gate));
  }
};
