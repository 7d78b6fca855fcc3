// Convolutions, with bias and ReLU in one plan where the library has it.

#include <millrace/gpu/lower/lowering.h>

#include <millrace/nn/window.h>

#include <utility>

namespace millrace::gpu {
namespace {

/// `x` and `y` are those of the forward pass or their gradients.
Convolution shape_of(const Lowering& lowering, const nn::Op& op, nn::ValueId x, nn::ValueId y,
                     Convolution::Pass pass) {
  const auto& layer = std::get<nn::Conv2D>(lowering.layer(op).kind);
  const Shape& from = lowering.shape(x);
  const Shape& to = lowering.shape(y);
  const nn::Window down = nn::window(from[1], layer.rows, layer.stride, layer.padding);
  const nn::Window across = nn::window(from[2], layer.columns, layer.stride, layer.padding);
  return {.pass = pass,
          .precision = lowering.options().precision,
          .batch = from[0],
          .height = from[1],
          .width = from[2],
          .channels = lowering.layout(x).stored,
          .out_height = to[1],
          .out_width = to[2],
          .filters = lowering.layout(y).stored,
          .rows = layer.rows,
          .columns = layer.columns,
          .stride = layer.stride,
          .top = down.before,
          .left = across.before,
          .bottom = down.after,
          .right = across.after};
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

/// What follows a convolution that has neither bias nor ReLU inside.
void append_bias_and_relu(Lowering& lowering, const nn::Op& op, SlotId y, SlotId bias,
                          const Layout& to, bool relu) {
  if (bias != kNoSlot) {
    lowering.append(lowering.step_name(op, "bias"), [=](const Addresses& at) {
      return add_bias(to.type, at(y), at(bias), at(y), to.plane(), relu);
    });
  } else if (relu) {
    lowering.append(lowering.step_name(op, "relu"), [=](const Addresses& at) {
      return relu_forward(to.type, at(y), at(y), to.elements());
    });
  }
}

void forward(Lowering& lowering, const nn::Op& op) {
  const auto [x, y] = std::pair(op.inputs[0], op.outputs[0]);
  const nn::ValueId relu = lowering.relu_of(y);
  const bool has_bias = op.inputs.size() > 2;
  const nn::ValueId target = relu >= 0 ? relu : y;
  if (relu >= 0) lowering.leave_out_maker_of(relu);

  const Convolution plain = shape_of(lowering, op, x, y, Convolution::Pass::forward);
  Convolution fused = plain;
  fused.bias = has_bias;
  fused.relu = relu >= 0;
  const SlotId bias = has_bias ? lowering.working(op.inputs[2]) : kNoSlot;
  Memory memory{
      .x = lowering.slot_of(x), .w = lowering.working(op.inputs[1]), .y = lowering.make(target)};
  if (const ConvolutionPlan* plan = lowering.find(fused)) {
    memory.bias = bias;
    return lowering.append(lowering.step_name(op, relu >= 0 ? "+ relu" : ""), call(*plan, memory));
  }
  lowering.append(op, call(lowering.require(op, plain), memory));
  append_bias_and_relu(lowering, op, memory.y, bias, lowering.layout(target), relu >= 0);
}

void backward_data(Lowering& lowering, const nn::Op& op) {
  const auto [dy, dx] = std::pair(op.inputs[0], op.outputs[0]);
  const Convolution shape = shape_of(lowering, op, dx, dy, Convolution::Pass::backward_data);
  const ConvolutionPlan& plan = lowering.require(op, shape);
  const SlotId from = lowering.slot_of(dy);
  lowering.append(
      op, call(plan, {.x = lowering.make(dx), .w = lowering.working(op.inputs[1]), .y = from}));
}

void backward_parameters(Lowering& lowering, const nn::Op& op) {
  const auto [x, dy] = std::pair(op.inputs[0], op.inputs[1]);
  const SlotId from = lowering.slot_of(dy);
  if (op.outputs.size() > 1 && !lowering.is_made(op.outputs[1])) {
    lowering.append_column_sums(op, from, kNoSlot, kNoSlot, lowering.layout(dy), op.outputs[1]);
  }
  const Convolution shape = shape_of(lowering, op, x, dy, Convolution::Pass::backward_weights);
  lowering.append(
      op, call(lowering.require(op, shape),
               {.x = lowering.slot_of(x), .w = lowering.gradient(op.outputs[0]), .y = from}));
}

}  // namespace

void lower_convolution(Lowering& lowering, const nn::Op& op) {
  switch (op.pass) {
    case nn::Pass::forward: return forward(lowering, op);
    case nn::Pass::backward_data: return backward_data(lowering, op);
    case nn::Pass::backward_parameters: return backward_parameters(lowering, op);
  }
}

}  // namespace millrace::gpu
