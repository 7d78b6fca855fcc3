#include <millrace/nn/layers/sigmoid.h>

#include <millrace/nn/reference/call.h>

#include <algorithm>
#include <cmath>

namespace millrace::nn {

void Sigmoid::forward(const reference::Call& call) const {
  const reference::In x = call.x();
  std::transform(x.begin(), x.end(), call.y().begin(),
                 [](double v) { return 1 / (1 + std::exp(-v)); });
}

void Sigmoid::backward(const reference::Call& call) const {
  const reference::In dy = call.dy(), y = call.in(operand::y);
  std::transform(dy.begin(), dy.end(), y.begin(), call.dx().begin(),
                 [](double d, double v) { return d * v * (1 - v); });
}

}  // namespace millrace::nn
