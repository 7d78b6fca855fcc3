#pragma once
// The mean of each channel of an image.

#include <millrace/nn/layers/layer.h>

namespace millrace::nn {

struct GlobalAvgPool {  ///< [N][H][W][C] -> [N][C]
  static constexpr LayerFacts kFacts{.name = "global_avg_pool", .stem = "global_avg_pool"};

  [[nodiscard]] LayerShape infer(const LayerInput& input) const;
  [[nodiscard]] Derivative derivative(bool) const { return {}; }
  template <class Real>
  void forward(const reference::BasicCall<Real>& call) const;
  template <class Real>
  void backward(const reference::BasicCall<Real>& call) const;
  friend bool operator==(const GlobalAvgPool&, const GlobalAvgPool&) = default;
};

}  // namespace millrace::nn
