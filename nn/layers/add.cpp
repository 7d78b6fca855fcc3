#include <millrace/nn/layers/add.h>

#include <millrace/nn/reference/call.h>

#include <algorithm>
#include <functional>

namespace millrace::nn {

using reference::BasicCall;

LayerShape Add::infer(const LayerInput& input) const {
  for (const Shape& shape : input.shapes()) {
    input.require(shape == input.shape(), "shapes to add must be equal, not ", input.shape(),
                  " and ", shape);
  }
  return {.output = input.shape()};
}

template <class Real>
void Add::forward(const BasicCall<Real>& call) const {
  const auto y = call.y();
  std::copy(call.x().begin(), call.x().end(), y.begin());
  for (int i = 1; i < static_cast<int>(call.inputs.size()); ++i) {
    const auto x = call.x(i);
    std::transform(y.begin(), y.end(), x.begin(), y.begin(), std::plus<>());
  }
}

MILLRACE_LOOPS_OF(Add)

}  // namespace millrace::nn
