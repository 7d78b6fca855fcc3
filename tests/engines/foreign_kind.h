#pragma once
// A kind of layer that no engine knows, as a user may write one.

#include <millrace/nn/layers/elementwise.h>

namespace millrace::test {

struct Foreign : nn::Elementwise<Foreign> {
  static constexpr nn::LayerFacts kFacts{.name = "foreign", .stem = "foreign"};
  template <class Real>
  Real value(Real x) const {
    return 2 * x;
  }
  template <class Real>
  Real gradient(Real dy, Real) const {
    return 2 * dy;
  }
};

}  // namespace millrace::test
