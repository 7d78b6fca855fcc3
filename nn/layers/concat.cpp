#include <millrace/nn/layers/concat.h>

#include <millrace/nn/reference/call.h>

#include <algorithm>

namespace millrace::nn {

using reference::BasicCall;
namespace {

/// Calls body(input, its pixel's first element, y's) for all pixels; an input has
/// inputs[input][-1] channels there.
template <class Real, class Body>
void for_each_run(const BasicCall<Real>& call, Body body) {
  const std::int64_t pixels = call.samples * call.pixels(), all = call.output[-1];
  std::int64_t before = 0;
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    const std::int64_t channels = call.inputs[i][-1];
    for (std::int64_t p = 0; p < pixels; ++p) body(i, p * channels, p * all + before);
    before += channels;
  }
}

}  // namespace

LayerShape Concat::infer(const LayerInput& input) const {
  std::int64_t channels = 0;
  for (const Shape& shape : input.shapes()) {
    const bool fits =
        shape.rank() == input.shape().rank() &&
        (shape.rank() == 1 || (shape[0] == input.shape()[0] && shape[1] == input.shape()[1]));
    input.require(fits, "shapes to concat may differ in channels alone, not ", input.shape(),
                  " and ", shape);
    channels += shape[-1];
  }
  Shape output{channels};
  if (input.shape().rank() == 3) output = {input.shape()[0], input.shape()[1], channels};
  input.product({output.elements() / channels, channels});
  return {.output = output};
}

template <class Real>
void Concat::forward(const BasicCall<Real>& call) const {
  for_each_run(call, [&](std::size_t i, std::int64_t from, std::int64_t to) {
    const auto x = call.x(static_cast<int>(i));
    std::copy_n(x.begin() + from, call.inputs[i][-1], call.y().begin() + to);
  });
}

template <class Real>
void Concat::backward(const BasicCall<Real>& call) const {
  for_each_run(call, [&](std::size_t i, std::int64_t to, std::int64_t from) {
    const auto dx = call.dx(static_cast<int>(i));
    if (!dx.empty()) std::copy_n(call.dy().begin() + from, call.inputs[i][-1], dx.begin() + to);
  });
}

MILLRACE_LOOPS_OF(Concat)

}  // namespace millrace::nn
