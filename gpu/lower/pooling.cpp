// Maximum, average and global average pooling.

#include <millrace/gpu/kernels/pooling.h>
#include <millrace/gpu/lower/lowering.h>

#include <millrace/core/error.h>
#include <millrace/nn/window.h>

#include <utility>

namespace millrace::gpu {
namespace {

template <class Layer>
Pooling pooling_of(const Lowering& lowering, const Layer& layer, nn::ValueId x, nn::ValueId y) {
  const Shape& from = lowering.graph().value(x).shape;
  const Shape& to = lowering.graph().value(y).shape;
  const auto [down, across] = nn::place(layer.window(), from[1], from[2]);
  return {.samples = from[0],
          .height = from[1],
          .width = from[2],
          .stored = lowering.layout(x).stored,
          .out_height = to[1],
          .out_width = to[2],
          .size = layer.size,
          .stride = layer.stride,
          .top = down.before,
          .left = across.before,
          .bottom = down.after,
          .right = across.after};
}

void append_average(Lowering& lowering, const nn::Op& op, const Pooling& size) {
  const bool is_forward = op.pass == nn::Pass::forward;
  const SlotId from = lowering.slot_of(op.source());
  const SlotId to = lowering.make(op.result());
  lowering.append(op, [=, type = lowering.type()](const Addresses& at) {
    return is_forward ? avg_pool_forward(type, at(from), at(to), size)
                      : avg_pool_backward(type, at(from), at(to), size);
  });
}

}  // namespace

void lower(Lowering& lowering, const nn::Op& op, const nn::MaxPool2D& layer) {
  const nn::ValueId saved = op.saved(nn::MaxPool2D::kIndices);
  if (layer.size.rows > 256 / layer.size.columns) {  // places in a window are kept as bytes
    throw Error(concat("gpu: ", lowering.step_name(op), ": windows of ", layer.size.rows, "x",
                       layer.size.columns, " are not supported; 256 pixels are the most"));
  }
  const Type type = lowering.type();
  if (op.pass == nn::Pass::forward) {
    const auto [x, y] = std::pair(op.x(), op.y());
    const Pooling size = pooling_of(lowering, layer, x, y);
    const SlotId from = lowering.slot_of(x);
    const SlotId to = lowering.make(y);
    const SlotId winners = saved < 0 ? kNoSlot : lowering.make_bytes(saved, lowering.layout(y));
    return lowering.append(op, [=](const Addresses& at) {
      return max_pool_forward(type, at(from), at(to), at.as<std::uint8_t>(winners), size);
    });
  }
  const auto [dy, dx] = std::pair(op.dy(), op.dx());
  const Pooling size = pooling_of(lowering, layer, dx, dy);
  const SlotId from = lowering.slot_of(dy);
  const SlotId winners = lowering.slot_of(saved);
  const SlotId to = lowering.make(dx);
  lowering.append(op, [=](const Addresses& at) {
    return max_pool_backward(type, at(from), at.as<const std::uint8_t>(winners), at(to), size);
  });
}

void lower(Lowering& lowering, const nn::Op& op, const nn::AvgPool2D& layer) {
  const bool is_forward = op.pass == nn::Pass::forward;
  const auto [in, out] = std::pair(op.source(), op.result());
  Pooling size =
      is_forward ? pooling_of(lowering, layer, in, out) : pooling_of(lowering, layer, out, in);
  size.count_padding = layer.count_padding;
  append_average(lowering, op, size);
}

void lower(Lowering& lowering, const nn::Op& op, const nn::AdaptiveAvgPool&) {
  const bool is_forward = op.pass == nn::Pass::forward;
  const auto [in, out] = std::pair(op.source(), op.result());
  const Shape& x = lowering.graph().value(is_forward ? in : out).shape;
  const Shape& y = lowering.graph().value(is_forward ? out : in).shape;
  const Pooling size{.samples = x[0],
                     .height = x[1],
                     .width = x[2],
                     .stored = lowering.layout(in).stored,
                     .out_height = y[1],
                     .out_width = y[2],
                     .adaptive = true};
  append_average(lowering, op, size);
}

void lower(Lowering& lowering, const nn::Op& op, const nn::GlobalAvgPool&) {
  const bool is_forward = op.pass == nn::Pass::forward;
  const auto [in, out] = std::pair(op.source(), op.result());
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

}  // namespace millrace::gpu
