#include <millrace/gpu/convolution_shapes.h>

#include <millrace/core/error.h>
#include <millrace/nn/window.h>

#include <algorithm>
#include <variant>

namespace millrace::gpu {
namespace {

Convolution::Pass pass_of(nn::Pass pass) {
  switch (pass) {
    case nn::Pass::forward: return Convolution::Pass::forward;
    case nn::Pass::backward_data: return Convolution::Pass::backward_data;
    case nn::Pass::backward_parameters: break;
  }
  return Convolution::Pass::backward_weights;
}

/// Values of the pixels before and after the layer.
struct Ends {
  nn::ValueId x, y;
};
Ends ends_of(const nn::Op& op) {
  switch (op.pass) {
    case nn::Pass::forward: return {op.inputs.at(0), op.outputs.at(0)};
    case nn::Pass::backward_data: return {op.outputs.at(0), op.inputs.at(0)};
    case nn::Pass::backward_parameters: break;
  }
  return {op.inputs.at(0), op.inputs.at(1)};
}

bool is_read_by_relu_alone(const nn::Graph& graph, nn::ValueId value) {
  if (value == graph.logits || value == graph.output) return false;
  int readers = 0;
  int relus = 0;
  for (const nn::Op& op : graph.ops) {
    if (std::find(op.inputs.begin(), op.inputs.end(), value) == op.inputs.end()) continue;
    ++readers;
    if (op.kind == nn::OpKind::relu && op.pass == nn::Pass::forward) ++relus;
  }
  return readers == 1 && relus == 1;
}

}  // namespace

std::int64_t stored_channels(std::int64_t channels, nn::Precision precision) noexcept {
  const std::int64_t unit =
      precision == nn::Precision::fp16 || precision == nn::Precision::bf16 ? 8 : 4;
  return (channels + unit - 1) / unit * unit;
}

Convolution convolution_of(const nn::Graph& graph, const nn::Op& op, nn::Precision precision) {
  MILLRACE_CHECK(op.kind == nn::OpKind::conv2d, "operation is ", nn::to_string(op.kind));
  const auto& layer = std::get<nn::Conv2D>(graph.model.layers.at(std::size_t(op.layer)).kind);
  const Ends ends = ends_of(op);
  const Shape& x = graph.values.at(std::size_t(ends.x)).shape;
  const Shape& y = graph.values.at(std::size_t(ends.y)).shape;
  const nn::Window down = nn::window(x[1], layer.rows, layer.stride, layer.padding);
  const nn::Window across = nn::window(x[2], layer.columns, layer.stride, layer.padding);

  Convolution convolution;
  convolution.pass = pass_of(op.pass);
  convolution.precision = precision;
  convolution.batch = x[0];
  convolution.height = x[1];
  convolution.width = x[2];
  convolution.channels = stored_channels(x[3], precision);
  convolution.out_height = y[1];
  convolution.out_width = y[2];
  convolution.filters = stored_channels(y[3], precision);
  convolution.rows = layer.rows;
  convolution.columns = layer.columns;
  convolution.stride = layer.stride;
  convolution.top = down.before;
  convolution.bottom = down.after;
  convolution.left = across.before;
  convolution.right = across.after;
  if (op.pass == nn::Pass::forward) {
    convolution.bias = layer.bias;
    convolution.relu = is_read_by_relu_alone(graph, ends.y);
  }
  return convolution;
}

}  // namespace millrace::gpu
