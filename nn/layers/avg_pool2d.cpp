#include <millrace/nn/layers/avg_pool2d.h>

#include <millrace/nn/reference/sliding.h>

namespace millrace::nn {
namespace {

Stretches parts_of(const AvgPool2D& layer, const reference::Call& call) {
  return stretches(layer.window(), call.input()[0], call.input()[1], layer.count_padding);
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

void AvgPool2D::forward(const reference::Call& call) const {
  average(call, parts_of(*this, call));
}

void AvgPool2D::backward(const reference::Call& call) const {
  average_backward(call, parts_of(*this, call));
}

}  // namespace millrace::nn
