#include <millrace/nn/layers/add.h>

#include <millrace/nn/reference/call.h>

#include <algorithm>
#include <functional>

namespace millrace::nn {

LayerShape Add::infer(const LayerInput& input) const {
  for (const Shape& shape : input.shapes()) {
    input.require(shape == input.shape(), "shapes to add must be equal, not ", input.shape(),
                  " and ", shape);
  }
  return {.output = input.shape()};
}

void Add::forward(const reference::Call& call) const {
  const reference::Out y = call.y();
  std::copy(call.x().begin(), call.x().end(), y.begin());
  for (int i = 1; i < static_cast<int>(call.inputs.size()); ++i) {
    const reference::In x = call.x(i);
    std::transform(y.begin(), y.end(), x.begin(), y.begin(), std::plus<>());
  }
}

}  // namespace millrace::nn
