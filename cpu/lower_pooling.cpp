// Maximum, average and global average pooling, in the layout in which the image comes, and the
// backward pass of a ReLU before a maximum.

#include <millrace/cpu/lowering.h>
#include <millrace/nn/window.h>

#include <utility>

namespace millrace::cpu {
namespace {

using onednn::Found;
using onednn::Kernel;
using onednn::Pooling;
using onednn::Tag;

template <class Layer>
onednn::Window window_of(const Layer& layer, const Shape& x) {
  const nn::Window down = nn::window(x[1], layer.size, layer.stride, layer.padding);
  const nn::Window across = nn::window(x[2], layer.size, layer.stride, layer.padding);
  return {layer.size,    layer.size, layer.stride, down.before,
          across.before, down.after, across.after};
}

/// `x` and `y` are the shapes of the forward operation.
Pooling shape_of(const Lowering& lowering, const nn::Op& op, const Shape& x, const Shape& y) {
  Pooling shape;
  const nn::LayerKind& kind = lowering.layer(op).kind;
  onednn::Dims to = dims_of(y);
  if (const auto* max = std::get_if<nn::MaxPool2D>(&kind)) {
    shape.window = window_of(*max, x);
  } else if (const auto* average = std::get_if<nn::AvgPool2D>(&kind)) {
    shape.algorithm = dnnl::algorithm::pooling_avg_exclude_padding;
    shape.window = window_of(*average, x);
  } else {  // the whole image
    shape.algorithm = dnnl::algorithm::pooling_avg_exclude_padding;
    shape.window = {.rows = x[1], .columns = x[2]};
    to = {y[0], y[1], 1, 1};
  }
  shape.destination = onednn::layout(to, Tag::any);
  return shape;
}

void forward(Lowering& lowering, const nn::Op& op) {
  const auto [x, y] = std::pair(op.inputs[0], op.outputs[0]);
  const bool saves = op.kind == nn::OpKind::max_pool && op.outputs[1] >= 0;
  const auto purpose = saves ? onednn::Purpose::training : onednn::Purpose::inference;
  Pooling shape = shape_of(lowering, op, lowering.value(x).shape, lowering.value(y).shape);
  const Layout here = lowering.layout(lowering.slot_of(x));
  std::vector<Found> found;
  for (const Layout& source :
       {here, plain_layout(here), onednn::layout(here.dims(), Tag::nChw16c)}) {
    shape.source = source;
    found.push_back(onednn::pooling_forward(lowering.engine(), shape, purpose));
  }
  const Kernel kernel = lowering.choose(op, found);
  const Layout source = kernel.at(DNNL_ARG_SRC);
  lowering.forward(op) = {source, kernel.at(DNNL_ARG_DST)};
  std::vector<Use> uses{{DNNL_ARG_SRC, lowering.in_layout(x, source)},
                        {DNNL_ARG_DST, lowering.make(y, kernel.at(DNNL_ARG_DST))}};
  if (saves) {
    const SlotId indices = lowering.make(op.outputs[1], kernel.at(DNNL_ARG_WORKSPACE));
    uses.push_back({DNNL_ARG_WORKSPACE, indices});
  }
  lowering.append(lowering.step_name(op), kernel, std::move(uses));
}

/// Does the work of the ReLU before the pooling on the derivative by what the pooling made. Returns
/// where the result is, or kNoSlot if there is no ReLU, or no code for this layout.
SlotId append_relu(Lowering& lowering, const Lowering::PooledRelu& relu, SlotId dy,
                   const Layout& layout) {
  if (relu.op == nullptr) return kNoSlot;
  const Found kernel = onednn::eltwise_backward(
      lowering.engine(), dnnl::algorithm::eltwise_relu_use_dst_for_bwd, layout);
  if (!kernel || kernel->is_reference()) return kNoSlot;
  const SlotId y = lowering.in_layout(relu.pooled, layout);
  const SlotId dx = lowering.make_in_place(-1, dy);
  lowering.append(lowering.step_name(*relu.op), *kernel,
                  {{DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_DST, y}, {DNNL_ARG_DIFF_SRC, dx}});
  lowering.leave_out(*relu.op);
  return dx;
}

void backward(Lowering& lowering, const nn::Op& op) {
  const auto [dy, dx] = std::pair(op.inputs[0], op.outputs[0]);
  Pooling shape = shape_of(lowering, op, lowering.value(dx).shape, lowering.value(dy).shape);
  shape.source = lowering.forward(op).source;
  shape.destination = lowering.forward(op).destination;
  const Kernel kernel = lowering.choose(op, {onednn::pooling_backward(lowering.engine(), shape)});
  const Lowering::PooledRelu relu = lowering.relu_before(op);
  const SlotId from = lowering.in_layout(dy, shape.destination);
  const SlotId masked = append_relu(lowering, relu, from, shape.destination);
  const bool has_relu = masked != kNoSlot;
  std::vector<Use> uses{
      {DNNL_ARG_DIFF_DST, has_relu ? masked : from},
      {DNNL_ARG_DIFF_SRC, lowering.make(has_relu ? relu.op->outputs[0] : dx, shape.source)}};
  if (op.kind == nn::OpKind::max_pool) {
    uses.push_back({DNNL_ARG_WORKSPACE, lowering.slot_of(op.inputs[1])});
  }
  lowering.append(lowering.step_name(op), kernel, std::move(uses));
}

}  // namespace

void lower_pooling(Lowering& lowering, const nn::Op& op) {
  if (op.pass == nn::Pass::forward) return forward(lowering, op);
  backward(lowering, op);
}

}  // namespace millrace::cpu
