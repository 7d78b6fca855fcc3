#include <millrace/nn/layers/avg_pool2d.h>

#include <millrace/nn/reference/sliding.h>

namespace millrace::nn {

using reference::BasicCall;
namespace {

Stretches parts_of(const AvgPool2D& layer, const Shape& input) {
  return stretches(layer.window(), input[0], input[1], layer.count_padding);
}

}  // namespace

void AvgPool2D::list(FieldList& fields) {
  fields.required("size", &size);
  fields.required("stride", &stride);
  fields.optional("padding", &padding);
  fields.seldom("ceil", &ceil, false);
  fields.seldom("count_padding", &count_padding, false);
}

LayerShape AvgPool2D::infer(const LayerInput& input) const {
  input.require_image();
  return {.output = input.pool(window())};
}

template <class Real>
void AvgPool2D::forward(const BasicCall<Real>& call) const {
  average(call, parts_of(*this, call.input()));
}

template <class Real>
void AvgPool2D::backward(const BasicCall<Real>& call) const {
  average_backward(call, parts_of(*this, call.input()));
}

MILLRACE_LOOPS_OF(AvgPool2D)

}  // namespace millrace::nn
