#include <millrace/nn/layers/flatten.h>

#include <millrace/nn/reference/call.h>

#include <algorithm>

namespace millrace::nn {

void Flatten::forward(const reference::Call& call) const {
  std::copy(call.x().begin(), call.x().end(), call.y().begin());
}

void Flatten::backward(const reference::Call& call) const {
  std::copy(call.dy().begin(), call.dy().end(), call.dx().begin());
}

}  // namespace millrace::nn
