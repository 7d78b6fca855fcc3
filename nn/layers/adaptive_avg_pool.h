#pragma once
// The means of a given number of parts of an image, whatever its size.

#include <millrace/nn/layers/layer.h>

namespace millrace::nn {

/// PyTorch's AdaptiveAvgPool2d: part i of n along a side of H pixels is from floor(i H / n) to
/// before ceil((i + 1) H / n), so that parts are of about one size and may share pixels.
struct AdaptiveAvgPool {
  std::int64_t rows = 1, columns = 1;  ///< of what comes out

  static constexpr LayerFacts kFacts{.name = "adaptive_avg_pool", .stem = "adaptive_avg_pool"};

  void list(FieldList& fields);
  [[nodiscard]] Stretches parts(std::int64_t height, std::int64_t width) const {
    return {adaptive_stretches(height, rows), adaptive_stretches(width, columns)};
  }
  [[nodiscard]] LayerShape infer(const LayerInput& input) const;
  [[nodiscard]] Derivative derivative(bool) const { return {}; }
  template <class Real>
  void forward(const reference::BasicCall<Real>& call) const;
  template <class Real>
  void backward(const reference::BasicCall<Real>& call) const;
  friend bool operator==(const AdaptiveAvgPool&, const AdaptiveAvgPool&) = default;
};

}  // namespace millrace::nn
