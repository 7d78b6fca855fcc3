#pragma once
// Zeros around an image.

#include <millrace/nn/layers/layer.h>

#include <cstdint>

namespace millrace::nn {

/// This many rows of zeros above and below, and columns to the left and to the right.
struct ZeroPadding {
  std::uint32_t top = 0, bottom = 0, left = 0, right = 0;

  static constexpr LayerFacts kFacts{.name = "zero_padding", .stem = "zero_padding"};

  void list(FieldList& fields);
  [[nodiscard]] LayerShape infer(const LayerInput& input) const;
  [[nodiscard]] Derivative derivative(bool) const { return {}; }
  [[nodiscard]] bool is_identity(bool) const { return *this == ZeroPadding(); }
  template <class Real>
  void forward(const reference::BasicCall<Real>& call) const;
  template <class Real>
  void backward(const reference::BasicCall<Real>& call) const;
  friend bool operator==(const ZeroPadding&, const ZeroPadding&) = default;
};

}  // namespace millrace::nn
