#include <millrace/nn/layers/scale.h>

#include <millrace/nn/reference/call.h>

#include <algorithm>
#include <cmath>

namespace millrace::nn {

using reference::BasicCall;

LayerShape Scale::infer(const LayerInput& input) const {
  input.require(std::isfinite(first), "first must be a finite number, not ", first);
  const Shape channels{input.shape()[-1]};
  return {.output = input.shape(), .parameters = {{"weight", Role::gamma, channels, first}}};
}

template <class Real>
void Scale::forward(const BasicCall<Real>& call) const {
  const auto x = call.x(), factors = call.parameter(Role::gamma);
  const auto y = call.y();
  for (std::int64_t i = 0; i < x.size(); ++i) y[i] = x[i] * factors[i % call.channels()];
}

template <class Real>
void Scale::backward(const BasicCall<Real>& call) const {
  const auto dy = call.dy(), x = call.x(), factors = call.parameter(Role::gamma);
  const auto dx = call.dx(), dfactors = call.gradient(Role::gamma);
  std::fill(dfactors.begin(), dfactors.end(), Real{0});
  for (std::int64_t i = 0; i < dy.size(); ++i) {
    const std::int64_t channel = i % call.channels();
    if (!dx.empty()) dx[i] = dy[i] * factors[channel];
    if (!dfactors.empty()) dfactors[channel] += dy[i] * x[i];
  }
}

MILLRACE_LOOPS_OF(Scale)

}  // namespace millrace::nn
