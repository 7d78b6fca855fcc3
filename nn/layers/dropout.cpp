#include <millrace/nn/layers/dropout.h>

#include <millrace/core/error.h>
#include <millrace/core/random.h>
#include <millrace/nn/reference/call.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace millrace::nn {

using reference::BasicCall;

LayerShape Dropout::infer(const LayerInput& input) const {
  input.require(rate >= 0 && rate < 1, "rate must be in [0, 1), not ", rate);
  return {.output = input.shape(), .saved = {{"mask", input.shape()}}};
}

template <class Real>
void Dropout::forward(const BasicCall<Real>& call) const {
  const auto x = call.x();
  const auto y = call.y(), saved = call.saved(kMask);
  const auto elements = static_cast<std::size_t>(call.input().elements());
  std::vector<std::uint8_t> mask(elements);
  for (std::size_t n = 0; n < static_cast<std::size_t>(call.samples); ++n) {
    const std::uint64_t position = call.positions.empty() ? n : call.positions[n];
    dropout_mask(call.seed, call.pass, position, call.layer, rate, mask);
    for (std::size_t i = 0; i < elements; ++i) {
      const auto at = static_cast<std::int64_t>(n * elements + i);
      y[at] = mask[i] != 0 ? x[at] / (1 - static_cast<Real>(rate)) : Real{0};
      if (!saved.empty()) saved[at] = mask[i];  // a frozen prefix saves none
    }
  }
}

template <class Real>
void Dropout::backward(const BasicCall<Real>& call) const {
  const auto dy = call.dy(), mask = call.in(operand::saved(kMask));
  std::transform(dy.begin(), dy.end(), mask.begin(), call.dx().begin(), [this](Real d, Real keep) {
    return keep != 0 ? d / (1 - static_cast<Real>(rate)) : Real{0};
  });
}

void dropout_mask(std::uint64_t seed, std::uint32_t pass, std::uint64_t position, int layer,
                  float rate, std::span<std::uint8_t> mask) {
  MILLRACE_CHECK(rate >= 0 && rate < 1, "dropout's rate is in [0, 1), not ", rate);
  MILLRACE_CHECK(position < (std::uint64_t{1} << 40) && layer >= 0 && layer < (1 << 16),
                 "dropout knows 2^40 positions and 2^16 layers, not position ", position,
                 " of layer ", layer);
  const std::uint32_t last_word = static_cast<std::uint32_t>(position >> 32) << 24 |
                                  static_cast<std::uint32_t>(layer) << 8 |
                                  static_cast<std::uint32_t>(Purpose::dropout);
  const auto threshold = static_cast<std::uint32_t>(std::ceil(double{rate} * 0x1p32));
  const std::array<std::uint32_t, 2> key{static_cast<std::uint32_t>(seed),
                                         static_cast<std::uint32_t>(seed >> 32)};
  for (std::size_t first = 0; first < mask.size(); first += 4) {
    const auto words = philox({static_cast<std::uint32_t>(first / 4), pass,
                               static_cast<std::uint32_t>(position), last_word},
                              key);
    const std::size_t count = std::min<std::size_t>(4, mask.size() - first);
    for (std::size_t i = 0; i < count; ++i) mask[first + i] = words[i] >= threshold ? 1 : 0;
  }
}

MILLRACE_LOOPS_OF(Dropout)

}  // namespace millrace::nn
