// Maximum, average and global average pooling.

#include <millrace/gpu/lower/lowering.h>

#include <millrace/core/error.h>
#include <millrace/nn/window.h>

#include <utility>

namespace millrace::gpu {
namespace {

template <class Layer>
Pooling pooling_of(const Lowering& lowering, const Layer& layer, nn::ValueId x, nn::ValueId y) {
  const Shape& from = lowering.shape(x);
  const Shape& to = lowering.shape(y);
  return {.samples = from[0],
          .height = from[1],
          .width = from[2],
          .stored = lowering.layout(x).stored,
          .out_height = to[1],
          .out_width = to[2],
          .size = layer.size,
          .stride = layer.stride,
          .top = nn::window(from[1], layer.size, layer.stride, layer.padding).before,
          .left = nn::window(from[2], layer.size, layer.stride, layer.padding).before};
}

void max_pool(Lowering& lowering, const nn::Op& op) {
  const auto& layer = std::get<nn::MaxPool2D>(lowering.layer(op).kind);
  if (layer.size > 16) {  // places in a window are kept as bytes
    throw Error(concat("gpu: ", lowering.step_name(op), ": windows of ", layer.size, "x",
                       layer.size, " are not supported; 16x16 is the largest"));
  }
  const Type type = lowering.type();
  if (op.pass == nn::Pass::forward) {
    const auto [x, y] = std::pair(op.inputs[0], op.outputs[0]);
    const Pooling size = pooling_of(lowering, layer, x, y);
    const SlotId from = lowering.slot_of(x);
    const SlotId to = lowering.make(y);
    const SlotId winners =
        op.outputs[1] < 0 ? kNoSlot : lowering.make_bytes(op.outputs[1], lowering.layout(y));
    return lowering.append(op, [=](const Addresses& at) {
      return max_pool_forward(type, at(from), at(to), at.as<std::uint8_t>(winners), size);
    });
  }
  const auto [dy, dx] = std::pair(op.inputs[0], op.outputs[0]);
  const Pooling size = pooling_of(lowering, layer, dx, dy);
  const SlotId from = lowering.slot_of(dy);
  const SlotId winners = lowering.slot_of(op.inputs[1]);
  const SlotId to = lowering.make(dx);
  lowering.append(op, [=](const Addresses& at) {
    return max_pool_backward(type, at(from), at.as<const std::uint8_t>(winners), at(to), size);
  });
}

void avg_pool(Lowering& lowering, const nn::Op& op) {
  const auto& layer = std::get<nn::AvgPool2D>(lowering.layer(op).kind);
  const bool is_forward = op.pass == nn::Pass::forward;
  const auto [in, out] = std::pair(op.inputs[0], op.outputs[0]);
  const Pooling size =
      is_forward ? pooling_of(lowering, layer, in, out) : pooling_of(lowering, layer, out, in);
  const SlotId from = lowering.slot_of(in);
  const SlotId to = lowering.make(out);
  lowering.append(op, [=, type = lowering.type()](const Addresses& at) {
    return is_forward ? avg_pool_forward(type, at(from), at(to), size)
                      : avg_pool_backward(type, at(from), at(to), size);
  });
}

void global_avg_pool(Lowering& lowering, const nn::Op& op) {
  const bool is_forward = op.pass == nn::Pass::forward;
  const auto [in, out] = std::pair(op.inputs[0], op.outputs[0]);
  const Layout image = lowering.layout(is_forward ? in : out);
  const SlotId from = lowering.slot_of(in);
  const SlotId to = lowering.make(out);
  lowering.append(op, [=](const Addresses& at) {
    return is_forward ? global_avg_pool_forward(image.type, at(from), at(to), image.samples,
                                                image.pixels, image.stored)
                      : global_avg_pool_backward(image.type, at(from), at(to), image.samples,
                                                 image.pixels, image.stored);
  });
}

}  // namespace

void lower_pooling(Lowering& lowering, const nn::Op& op) {
  switch (op.kind) {
    case nn::OpKind::max_pool: return max_pool(lowering, op);
    case nn::OpKind::avg_pool: return avg_pool(lowering, op);
    default: return global_avg_pool(lowering, op);
  }
}

}  // namespace millrace::gpu
