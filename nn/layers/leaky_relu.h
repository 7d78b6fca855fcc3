#pragma once
// The rectified linear unit with a small slope below zero.

#include <millrace/nn/layers/elementwise.h>

namespace millrace::nn {

struct LeakyRelu : Elementwise<LeakyRelu> {  ///< x where it is above 0, else negative_slope * x
  float negative_slope = 0.01F;  ///< not below 0: the sign of what is made tells the side

  static constexpr LayerFacts kFacts{
      .name = "leaky_relu", .stem = "leaky_relu", .keeps_order = true};
  void list(FieldList& fields) { fields.optional("negative_slope", &negative_slope); }
  void check(const LayerInput& input) const {
    input.require(negative_slope >= 0 && negative_slope < 1,
                  "negative_slope must be in [0, 1), not ", negative_slope);
  }
  template <class Real>
  MILLRACE_HOST_DEVICE Real value(Real x) const {
    return x * (x > 0 ? Real(1) : Real(negative_slope));
  }
  template <class Real>
  MILLRACE_HOST_DEVICE Real gradient(Real dy, Real y) const {
    return dy * (y > 0 ? Real(1) : Real(negative_slope));
  }
  friend bool operator==(const LeakyRelu&, const LeakyRelu&) = default;
};

}  // namespace millrace::nn
