#include <millrace/nn/layers/multiply.h>

#include <millrace/nn/reference/call.h>

#include <algorithm>

namespace millrace::nn {

using reference::BasicCall;
namespace {

/// Calls body(element of the first input, element of the second).
template <class Real, class Body>
void for_each_pair(const BasicCall<Real>& call, Body body) {
  const std::int64_t sample = call.input().elements(), channels = call.channels();
  const bool is_by_channel = call.inputs[1] != call.input();
  for (std::int64_t n = 0; n < call.samples; ++n) {
    for (std::int64_t i = 0; i < sample; ++i) {
      body(n * sample + i, is_by_channel ? n * channels + i % channels : n * sample + i);
    }
  }
}

}  // namespace

LayerShape Multiply::infer(const LayerInput& input) const {
  const Shape &x = input.shape(), &factors = input.shapes()[1];
  input.require(factors == x || factors == Shape{x[-1]}, "expected two shapes that are equal, or ",
                x, " and ", Shape{x[-1]}, ", not ", x, " and ", factors);
  return {.output = x};
}

template <class Real>
void Multiply::forward(const BasicCall<Real>& call) const {
  const auto x = call.x(), factors = call.x(1);
  const auto y = call.y();
  for_each_pair(call, [&](std::int64_t i, std::int64_t f) { y[i] = x[i] * factors[f]; });
}

template <class Real>
void Multiply::backward(const BasicCall<Real>& call) const {
  const auto x = call.x(), factors = call.x(1), dy = call.dy();
  const auto dx = call.dx(), dfactors = call.dx(1);
  std::fill(dfactors.begin(), dfactors.end(), Real{0});
  for_each_pair(call, [&](std::int64_t i, std::int64_t f) {
    if (!dx.empty()) dx[i] = dy[i] * factors[f];
    if (!dfactors.empty()) dfactors[f] += dy[i] * x[i];
  });
}

MILLRACE_LOOPS_OF(Multiply)

}  // namespace millrace::nn
