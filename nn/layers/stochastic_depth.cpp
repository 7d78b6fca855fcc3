#include <millrace/nn/layers/stochastic_depth.h>

#include <millrace/nn/layers/dropout.h>
#include <millrace/nn/reference/call.h>

#include <cstdint>
#include <span>

namespace millrace::nn {

using reference::BasicCall;

LayerShape StochasticDepth::infer(const LayerInput& input) const {
  input.require(rate >= 0 && rate < 1, "rate must be in [0, 1), not ", rate);
  return {.output = input.shape(), .saved = {{"mask", Shape{1}}}};
}

template <class Real>
void StochasticDepth::forward(const BasicCall<Real>& call) const {
  const auto x = call.x();
  const auto y = call.y(), saved = call.saved(kMask);
  const std::int64_t elements = call.input().elements();
  for (std::int64_t n = 0; n < call.samples; ++n) {
    const auto index = static_cast<std::size_t>(n);
    const std::uint64_t position = call.positions.empty() ? index : call.positions[index];
    std::uint8_t keep = 0;
    dropout_mask(call.seed, call.pass, position, call.layer, rate, std::span(&keep, 1));
    for (std::int64_t i = n * elements; i < (n + 1) * elements; ++i) {
      y[i] = keep != 0 ? x[i] / (1 - static_cast<Real>(rate)) : Real{0};
    }
    if (!saved.empty()) saved[n] = keep;  // a frozen prefix saves none
  }
}

template <class Real>
void StochasticDepth::backward(const BasicCall<Real>& call) const {
  const auto dy = call.dy(), mask = call.in(operand::saved(kMask));
  const auto dx = call.dx();
  const std::int64_t elements = call.input().elements();
  for (std::int64_t i = 0; i < dy.size(); ++i) {
    dx[i] = mask[i / elements] != 0 ? dy[i] / (1 - static_cast<Real>(rate)) : Real{0};
  }
}

MILLRACE_LOOPS_OF(StochasticDepth)

}  // namespace millrace::nn
