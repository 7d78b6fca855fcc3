#include <millrace/nn/layers/layer_norm.h>

#include <millrace/nn/reference/call.h>

#include <algorithm>
#include <cmath>

namespace millrace::nn {

using reference::BasicCall;

namespace {

/// Calls body(pixel, first element) for all pixels of all samples.
template <class Real, class Body>
void for_each_pixel(const BasicCall<Real>& call, Body body) {
  const std::int64_t pixels = call.samples * call.pixels();
  for (std::int64_t p = 0; p < pixels; ++p) body(p, p * call.channels());
}

}  // namespace

LayerShape LayerNorm::infer(const LayerInput& input) const {
  input.require(epsilon > 0 && epsilon < 1, "epsilon must be in (0, 1), not ", epsilon);
  const Shape channels{input.shape()[-1]};
  const Shape pixels{input.shape().elements() / input.shape()[-1]};
  return {.output = input.shape(),
          .parameters = {{"weight", Role::gamma, channels, 1}, {"bias", Role::beta, channels}},
          .saved = {{"mean", pixels}, {"inverse", pixels}}};
}

Derivative LayerNorm::derivative(bool trains) const {
  return {.data = {operand::x, operand::parameter(Role::gamma), operand::saved(kMean),
                   operand::saved(kInverse)},
          .at_once = trains};
}

template <class Real>
void LayerNorm::forward(const BasicCall<Real>& call) const {
  const auto x = call.x(), gamma = call.parameter(Role::gamma), beta = call.parameter(Role::beta);
  const auto y = call.y(), means = call.saved(kMean), inverses = call.saved(kInverse);
  const std::int64_t channels = call.channels();
  for_each_pixel(call, [&](std::int64_t p, std::int64_t at) {
    Real sum = 0;
    Real squares = 0;
    for (std::int64_t c = 0; c < channels; ++c) sum += x[at + c];
    const Real mean = sum / static_cast<Real>(channels);
    for (std::int64_t c = 0; c < channels; ++c) squares += (x[at + c] - mean) * (x[at + c] - mean);
    const Real inverse =
        1 / std::sqrt(squares / static_cast<Real>(channels) + static_cast<Real>(epsilon));
    for (std::int64_t c = 0; c < channels; ++c) {
      y[at + c] = gamma[c] * (x[at + c] - mean) * inverse + beta[c];
    }
    if (means.empty()) return;
    means[p] = mean;
    inverses[p] = inverse;
  });
}

// With g = gamma dy, h = (x - mean) / deviation and C channels:
//   dx = (g - sum(g) / C - h sum(g h) / C) / deviation
// (Ba, Kiros and Hinton 2016, with the chain through mean and deviation worked out).
template <class Real>
void LayerNorm::backward(const BasicCall<Real>& call) const {
  const auto dy = call.dy(), x = call.x(), gamma = call.parameter(Role::gamma);
  const auto mean = call.in(operand::saved(kMean)), inverse = call.in(operand::saved(kInverse));
  const auto dx = call.dx(), dgamma = call.gradient(Role::gamma), dbeta = call.gradient(Role::beta);
  std::fill(dgamma.begin(), dgamma.end(), Real{0});
  std::fill(dbeta.begin(), dbeta.end(), Real{0});
  const std::int64_t channels = call.channels();
  const auto count = static_cast<Real>(channels);
  for_each_pixel(call, [&](std::int64_t p, std::int64_t at) {
    const auto normal = [&](std::int64_t c) { return (x[at + c] - mean[p]) * inverse[p]; };
    Real sum = 0;
    Real product = 0;
    for (std::int64_t c = 0; c < channels; ++c) {
      sum += gamma[c] * dy[at + c];
      product += gamma[c] * dy[at + c] * normal(c);
      if (dgamma.empty()) continue;
      dgamma[c] += dy[at + c] * normal(c);
      dbeta[c] += dy[at + c];
    }
    for (std::int64_t c = 0; c < channels && !dx.empty(); ++c) {
      dx[at + c] = inverse[p] * (gamma[c] * dy[at + c] - sum / count - normal(c) * product / count);
    }
  });
}

MILLRACE_LOOPS_OF(LayerNorm)

}  // namespace millrace::nn
