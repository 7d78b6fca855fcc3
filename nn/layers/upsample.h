#pragma once
// Larger images by repeating each pixel.

#include <millrace/nn/layers/layer.h>

#include <cstdint>

namespace millrace::nn {

/// Each row `rows` times and each column `columns` times: nearest neighbours.
struct Upsample {
  std::int64_t rows = 2, columns = 2;

  static constexpr LayerFacts kFacts{.name = "upsample", .stem = "upsample"};

  void list(FieldList& fields);
  [[nodiscard]] LayerShape infer(const LayerInput& input) const;
  [[nodiscard]] Derivative derivative(bool) const { return {}; }
  [[nodiscard]] bool is_identity(bool) const { return rows == 1 && columns == 1; }
  template <class Real>
  void forward(const reference::BasicCall<Real>& call) const;
  template <class Real>
  void backward(const reference::BasicCall<Real>& call) const;
  friend bool operator==(const Upsample&, const Upsample&) = default;
};

}  // namespace millrace::nn
