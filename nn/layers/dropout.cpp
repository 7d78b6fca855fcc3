#include <millrace/nn/layers/dropout.h>

#include <millrace/nn/dropout.h>
#include <millrace/nn/reference/call.h>

#include <algorithm>

namespace millrace::nn {

LayerShape Dropout::infer(const LayerInput& input) const {
  input.require(rate >= 0 && rate < 1, "rate must be in [0, 1), not ", rate);
  return {.output = input.shape(), .saved = {{"mask", input.shape()}}};
}

void Dropout::forward(const reference::Call& call) const {
  const reference::In x = call.x();
  const reference::Out y = call.y(), saved = call.saved(kMask);
  const auto elements = static_cast<std::size_t>(call.input.elements());
  std::vector<std::uint8_t> mask(elements);
  for (std::size_t n = 0; n < static_cast<std::size_t>(call.samples); ++n) {
    const std::uint64_t position = call.positions.empty() ? n : call.positions[n];
    dropout_mask(call.seed, call.pass, position, call.layer, rate, mask);
    for (std::size_t i = 0; i < elements; ++i) {
      const auto at = static_cast<std::int64_t>(n * elements + i);
      y[at] = mask[i] != 0 ? x[at] / (1 - double{rate}) : 0.0;
      if (!saved.empty()) saved[at] = mask[i];  // a frozen prefix saves none
    }
  }
}

void Dropout::backward(const reference::Call& call) const {
  const reference::In dy = call.dy(), mask = call.in(operand::saved(kMask));
  std::transform(
      dy.begin(), dy.end(), mask.begin(), call.dx().begin(),
      [this](double d, double keep) { return keep != 0 ? d / (1 - double{rate}) : 0.0; });
}

}  // namespace millrace::nn
