#include <millrace/nn/layers/upsample.h>

#include <millrace/nn/reference/call.h>

#include <algorithm>

namespace millrace::nn {

using reference::BasicCall;

namespace {

/// Calls body(element of the small image, element of the large one) for all of the large one's.
template <class Real, class Body>
void for_each_element(const Upsample& layer, const BasicCall<Real>& call, Body body) {
  const std::int64_t width = call.output[1], channels = call.channels();
  for (std::int64_t row = 0; row < call.samples * call.output[0]; ++row) {
    for (std::int64_t column = 0; column < width; ++column) {
      const std::int64_t small = row / layer.rows * call.input()[1] + column / layer.columns;
      for (std::int64_t c = 0; c < channels; ++c) {
        body(small * channels + c, (row * width + column) * channels + c);
      }
    }
  }
}

}  // namespace

void Upsample::list(FieldList& fields) {
  fields.optional("rows", &rows);
  fields.optional("columns", &columns);
}

LayerShape Upsample::infer(const LayerInput& input) const {
  input.require_image();
  const Shape& x = input.shape();
  const std::int64_t height = input.product({x[0], input.positive("rows", rows)});
  const std::int64_t width = input.product({x[1], input.positive("columns", columns)});
  input.product({height, width, x[2]});
  return {.output = {height, width, x[2]}};
}

template <class Real>
void Upsample::forward(const BasicCall<Real>& call) const {
  const auto x = call.x();
  const auto y = call.y();
  for_each_element(*this, call, [&](std::int64_t from, std::int64_t to) { y[to] = x[from]; });
}

template <class Real>
void Upsample::backward(const BasicCall<Real>& call) const {
  const auto dy = call.dy();
  const auto dx = call.dx();
  std::fill(dx.begin(), dx.end(), Real{0});
  for_each_element(*this, call, [&](std::int64_t to, std::int64_t from) { dx[to] += dy[from]; });
}

MILLRACE_LOOPS_OF(Upsample)

}  // namespace millrace::nn
