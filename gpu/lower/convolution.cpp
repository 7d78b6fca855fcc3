// Convolutions, with bias and ReLU in one plan where the library has it.

#include <millrace/gpu/lower/lowering.h>

#include <millrace/core/error.h>
#include <millrace/nn/window.h>

#include <utility>

namespace millrace::gpu {
namespace {

Convolution shape_of(const Lowering& lowering, const nn::Op& op) {
  return convolution_of(lowering.graph(), op, lowering.options().precision);
}

struct Memory {
  SlotId x = kNoSlot, w = kNoSlot, y = kNoSlot, bias = kNoSlot;
};

Bind call(const ConvolutionPlan& plan, const Memory& memory) {
  return [&plan, memory](const Addresses& at) {
    return ConvolutionCall{&plan,
                           {.x = at(memory.x),
                            .w = at(memory.w),
                            .y = at(memory.y),
                            .bias = at(memory.bias),
                            .workspace = at.arenas().workspace}};
  };
}

void forward(Lowering& lowering, const nn::Op& op) {
  const nn::ValueId relu = lowering.fuse_relu(op.y());
  const bool has_bias = op.parameter(nn::Role::bias) >= 0;
  const nn::ValueId target = relu >= 0 ? relu : op.y();

  const Convolution plain = shape_of(lowering, op);
  Convolution fused = plain;
  fused.bias = has_bias;
  fused.relu = relu >= 0;
  const SlotId bias = has_bias ? lowering.working(op.parameter(nn::Role::bias)) : kNoSlot;
  Memory memory{.x = lowering.slot_of(op.x()),
                .w = lowering.working(op.parameter(nn::Role::kernel)),
                .y = lowering.make(target)};
  if (const ConvolutionPlan* plan = lowering.find(fused)) {
    memory.bias = bias;
    return lowering.append(lowering.step_name(op, relu >= 0 ? "+ relu" : ""), call(*plan, memory));
  }
  lowering.append(op, call(lowering.require(op, plain), memory));
  lowering.append_bias_and_relu(op, memory.y, bias, lowering.layout(target), relu >= 0);
}

void backward_data(Lowering& lowering, const nn::Op& op) {
  const ConvolutionPlan& plan = lowering.require(op, shape_of(lowering, op));
  const SlotId from = lowering.slot_of(op.dy());
  lowering.append(op, call(plan, {.x = lowering.make(op.dx()),
                                  .w = lowering.working(op.parameter(nn::Role::kernel)),
                                  .y = from}));
}

void backward_parameters(Lowering& lowering, const nn::Op& op) {
  const SlotId from = lowering.slot_of(op.dy());
  const nn::ValueId db = op.gradient(nn::Role::bias);
  if (db >= 0 && !lowering.is_made(db)) {
    lowering.append_column_sums(op, from, kNoSlot, kNoSlot, lowering.layout(op.dy()), db);
  }
  lowering.append(op, call(lowering.require(op, shape_of(lowering, op)),
                           {.x = lowering.slot_of(op.x()),
                            .w = lowering.gradient(op.gradient(nn::Role::kernel)),
                            .y = from}));
}

/// So many that stored channels and filters are whole groups. Those beyond the layer's own have
/// weights of 0: they read channels that are padding and make others.
std::int64_t groups_of(const nn::Graph& graph, const nn::Op& op, std::int64_t stored_channels,
                       std::int64_t stored_filters) {
  const std::int64_t groups = graph.kind<nn::Conv2D>(op)->groups;
  if (groups == 1) return 1;
  const nn::Op& forward = graph.forward_of(op);
  const std::int64_t channels = graph.value(forward.x()).shape[3] / groups;
  const std::int64_t filters = graph.value(forward.y()).shape[3] / groups;
  const std::int64_t stored = stored_channels / channels;
  if (stored_channels % channels == 0 && stored_filters == stored * filters) return stored;
  throw Error(concat("gpu: ", nn::step_name(graph, op), ": ", groups, " groups of ", channels,
                     " channels and ", filters, " filters do not fill the ", stored_channels,
                     " channels and ", stored_filters,
                     " filters that are stored, which is not supported; have multiples of 8 "
                     "channels and filters, or one filter a channel"));
}

}  // namespace

Convolution convolution_of(const nn::Graph& graph, const nn::Op& op, nn::Precision precision) {
  const auto& layer = *graph.kind<nn::Conv2D>(op);
  const bool is_forward = op.pass == nn::Pass::forward;
  const bool is_data = op.pass == nn::Pass::backward_data;
  const Shape& x = graph.value(is_data ? op.dx() : op.x()).shape;
  const Shape& y = graph.value(is_forward ? op.y() : op.dy()).shape;
  const auto [down, across] = nn::place(layer.window(), x[1], x[2]);
  return {.pass = is_forward ? Convolution::Pass::forward
                  : is_data  ? Convolution::Pass::backward_data
                             : Convolution::Pass::backward_weights,
          .precision = precision,
          .batch = x[0],
          .height = x[1],
          .width = x[2],
          .channels = padded(x[3], precision),
          .out_height = y[1],
          .out_width = y[2],
          .filters = padded(y[3], precision),
          .rows = layer.rows,
          .columns = layer.columns,
          .stride = layer.stride,
          .top = down.before,
          .left = across.before,
          .bottom = down.after,
          .right = across.after,
          .dilation = layer.dilation,
          .groups = groups_of(graph, op, padded(x[3], precision), padded(y[3], precision))};
}

void lower(Lowering& lowering, const nn::Op& op, const nn::Conv2D&) {
  switch (op.pass) {
    case nn::Pass::forward: return forward(lowering, op);
    case nn::Pass::backward_data: return backward_data(lowering, op);
    case nn::Pass::backward_parameters: return backward_parameters(lowering, op);
    case nn::Pass::gradient_sum: break;  // no pass of a layer
  }
}

}  // namespace millrace::gpu
