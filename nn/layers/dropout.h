#pragma once
// Random zeros in training. The masks are a function of (seed, pass, position, layer, element), the
// same on every engine.

#include <millrace/nn/layers/layer.h>

#include <cstdint>
#include <span>

namespace millrace::nn {

struct Dropout {  ///< training only: zero with probability `rate`, the rest / (1 - rate)
  float rate = 0.5F;

  static constexpr LayerFacts kFacts{.name = "dropout", .stem = "dropout", .keeps_order = true};
  static constexpr int kMask = 0;  ///< saved: 0 or 1 an element, as dropout_mask() writes them

  void list(FieldList& fields) { fields.required("rate", &rate); }
  [[nodiscard]] LayerShape infer(const LayerInput& input) const;
  [[nodiscard]] Derivative derivative(bool) const { return {.data = {operand::saved(kMask)}}; }
  [[nodiscard]] bool is_identity(bool training) const { return !training || rate == 0; }
  template <class Real>
  void forward(const reference::BasicCall<Real>& call) const;
  template <class Real>
  void backward(const reference::BasicCall<Real>& call) const;
  friend bool operator==(const Dropout&, const Dropout&) = default;
};

/// Writes 1 (keep) or 0 for each element of one sample. One Philox block gives four elements: word
/// i of block b decides element 4 b + i, which is kept when word >= ceil(rate * 2^32). The key is
/// `seed`; the counter is {b, pass, position mod 2^32, (position >> 32) << 24 | layer << 8 |
/// Purpose::dropout}, lowest word first. Requires: 0 <= rate < 1, position < 2^40, 0 <= layer <
/// 2^16. Thread-safe.
void dropout_mask(std::uint64_t seed, std::uint32_t pass, std::uint64_t position, int layer,
                  float rate, std::span<std::uint8_t> mask);

}  // namespace millrace::nn
