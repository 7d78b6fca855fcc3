#include <millrace/nn/layers/relu.h>

#include <millrace/nn/reference/call.h>

#include <algorithm>

namespace millrace::nn {

void Relu::forward(const reference::Call& call) const {
  const reference::In x = call.x();
  std::transform(x.begin(), x.end(), call.y().begin(), [](double v) { return v < 0 ? 0.0 : v; });
}

void Relu::backward(const reference::Call& call) const {
  const reference::In dy = call.dy(), y = call.in(operand::y);
  std::transform(dy.begin(), dy.end(), y.begin(), call.dx().begin(),
                 [](double d, double v) { return v > 0 ? d : 0.0; });
}

}  // namespace millrace::nn
