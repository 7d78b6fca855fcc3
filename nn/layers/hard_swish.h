#pragma once
// A SiLU of straight pieces: x min(max(x + 3, 0), 6) / 6.

#include <millrace/nn/layers/elementwise.h>

namespace millrace::nn {

struct HardSwish : Elementwise<HardSwish> {  ///< PyTorch's: slope 0 at -3, 1 at 3
  static constexpr LayerFacts kFacts{
      .name = "hard_swish", .stem = "hard_swish", .keeps_order = true};
  static constexpr bool kFromInput = true;
  template <class Real>
  MILLRACE_HOST_DEVICE Real value(Real x) const {
    const Real gate = (x + 3) / 6;
    const Real bounded = gate > 1 ? Real(1) : gate;
    return x * (gate < 0 ? Real(0) : bounded);
  }
  template <class Real>
  MILLRACE_HOST_DEVICE Real gradient(Real dy, Real x) const {
    const Real slope = x / 3 + Real(0.5);
    const Real bounded = x >= 3 ? Real(1) : slope;
    return dy * (x <= -3 ? Real(0) : bounded);
  }
};

}  // namespace millrace::nn
