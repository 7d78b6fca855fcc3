#include <millrace/nn/layers/softmax.h>

#include <millrace/nn/reference/call.h>

#include <algorithm>
#include <cmath>

namespace millrace::nn {

void Softmax::forward(const reference::Call& call) const {
  const reference::In x = call.x();
  const reference::Out y = call.y();
  const std::int64_t classes = call.channels();
  for (std::int64_t row = 0; row < x.size(); row += classes) {
    const double highest = *std::max_element(x.begin() + row, x.begin() + row + classes);
    double sum = 0;
    for (std::int64_t k = row; k < row + classes; ++k) sum += std::exp(x[k] - highest);
    for (std::int64_t k = row; k < row + classes; ++k) y[k] = std::exp(x[k] - highest) / sum;
  }
}

void Softmax::backward(const reference::Call& call) const {
  const reference::In dy = call.dy(), y = call.in(operand::y);
  const reference::Out dx = call.dx();
  const std::int64_t classes = call.channels();
  for (std::int64_t row = 0; row < dy.size(); row += classes) {
    double sum = 0;
    for (std::int64_t k = row; k < row + classes; ++k) sum += dy[k] * y[k];
    for (std::int64_t k = row; k < row + classes; ++k) dx[k] = y[k] * (dy[k] - sum);
  }
}

}  // namespace millrace::nn
