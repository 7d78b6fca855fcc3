#pragma once
// Images as rows of features.

#include <millrace/nn/layers/layer.h>
#include <millrace/nn/reference/call.h>

#include <algorithm>

namespace millrace::nn {

struct Flatten {  ///< [N][H][W][C] -> [N][H*W*C], channels fastest
  static constexpr LayerFacts kFacts{.name = "flatten", .stem = "flatten"};

  [[nodiscard]] LayerShape infer(const LayerInput& input) const {
    return {.output = {input.shape().elements()}};
  }
  [[nodiscard]] Derivative derivative(bool) const { return {}; }
  template <class Real>
  void forward(const reference::BasicCall<Real>& call) const {
    std::copy(call.x().begin(), call.x().end(), call.y().begin());
  }
  template <class Real>
  void backward(const reference::BasicCall<Real>& call) const {
    std::copy(call.dy().begin(), call.dy().end(), call.dx().begin());
  }
  friend bool operator==(const Flatten&, const Flatten&) = default;
};

}  // namespace millrace::nn
