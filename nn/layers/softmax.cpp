#include <millrace/nn/layers/softmax.h>

#include <millrace/nn/reference/call.h>

#include <algorithm>
#include <cmath>

namespace millrace::nn {

using reference::BasicCall;

template <class Real>
void Softmax::forward(const BasicCall<Real>& call) const {
  const auto x = call.x();
  const auto y = call.y();
  const std::int64_t classes = call.channels();
  for (std::int64_t row = 0; row < x.size(); row += classes) {
    const Real highest = *std::max_element(x.begin() + row, x.begin() + row + classes);
    Real sum = 0;
    for (std::int64_t k = row; k < row + classes; ++k) sum += std::exp(x[k] - highest);
    for (std::int64_t k = row; k < row + classes; ++k) y[k] = std::exp(x[k] - highest) / sum;
  }
}

template <class Real>
void Softmax::backward(const BasicCall<Real>& call) const {
  const auto dy = call.dy(), y = call.in(operand::y);
  const auto dx = call.dx();
  const std::int64_t classes = call.channels();
  for (std::int64_t row = 0; row < dy.size(); row += classes) {
    Real sum = 0;
    for (std::int64_t k = row; k < row + classes; ++k) sum += dy[k] * y[k];
    for (std::int64_t k = row; k < row + classes; ++k) dx[k] = y[k] * (dy[k] - sum);
  }
}

MILLRACE_LOOPS_OF(Softmax)

}  // namespace millrace::nn
