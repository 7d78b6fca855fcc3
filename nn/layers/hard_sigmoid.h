#pragma once
// A sigmoid of straight pieces: min(max(x + 3, 0), 6) / 6.

#include <millrace/nn/layers/elementwise.h>

namespace millrace::nn {

struct HardSigmoid : Elementwise<HardSigmoid> {  ///< PyTorch's: no slope at -3 and at 3
  static constexpr LayerFacts kFacts{
      .name = "hard_sigmoid", .stem = "hard_sigmoid", .keeps_order = true};
  /// What is made rounds to 1 before the input is 3.
  static constexpr bool kFromInput = true;
  template <class Real>
  MILLRACE_HOST_DEVICE Real value(Real x) const {
    const Real gate = (x + 3) / 6;
    const Real bounded = gate > 1 ? Real(1) : gate;
    return gate < 0 ? Real(0) : bounded;
  }
  template <class Real>
  MILLRACE_HOST_DEVICE Real gradient(Real dy, Real x) const {
    return x > -3 && x < 3 ? dy / 6 : Real(0);
  }
};

}  // namespace millrace::nn
