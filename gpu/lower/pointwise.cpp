// Operations on values one by one or row by row: flatten, ReLU, sigmoid, softmax, dropout, the
// loss.

#include <millrace/gpu/lower/lowering.h>

#include <utility>

namespace millrace::gpu {

void lower_flatten(Lowering& lowering, const nn::Op& op) {
  const bool is_forward = op.pass == nn::Pass::forward;
  const auto [in, out] = std::pair(op.inputs[0], op.outputs[0]);
  const Layout image = lowering.layout(is_forward ? in : out);
  const Layout row = lowering.layout(is_forward ? out : in);
  if (image.pixels == 1 || image.channels == image.stored) return lowering.make_view(out, in);
  const Flattening size{image.samples, image.pixels, image.channels, image.stored, row.stored};
  const SlotId from = lowering.slot_of(in);
  const SlotId to = lowering.make(out);
  lowering.append(op, [=, type = lowering.type()](const Addresses& at) {
    return is_forward ? flatten(type, at(from), at(to), size)
                      : unflatten(type, at(from), at(to), size);
  });
}

// On the way back the bias gradient of the layer before is made in the same pass.
void lower_relu(Lowering& lowering, const nn::Op& op) {
  const auto [in, out] = std::pair(op.inputs[0], op.outputs[0]);
  const Layout size = lowering.layout(out);
  const SlotId from = lowering.slot_of(in);
  const SlotId to = lowering.make_in_place(out, in);
  if (op.pass == nn::Pass::forward) {
    return lowering.append(op, [=](const Addresses& at) {
      return relu_forward(size.type, at(from), at(to), size.elements());
    });
  }
  const SlotId y = lowering.slot_of(op.inputs[1]);
  const nn::ValueId db = lowering.bias_gradient_of(out);
  if (db >= 0) return lowering.append_column_sums(op, from, y, to, size, db);
  lowering.append(op, [=](const Addresses& at) {
    return relu_backward(size.type, at(from), at(y), at(to), size.elements());
  });
}

void lower_activation(Lowering& lowering, const nn::Op& op) {
  const bool is_softmax = op.kind == nn::OpKind::softmax;
  const auto [in, out] = std::pair(op.inputs[0], op.outputs[0]);
  const Layout size = lowering.layout(out);
  if (op.pass != nn::Pass::forward) {
    const SlotId from = lowering.slot_of(in);
    const SlotId y = lowering.slot_of(op.inputs[1]);
    const SlotId to = lowering.make(out);
    return lowering.append(op, [=](const Addresses& at) {
      return is_softmax ? softmax_backward(size.type, at(from), at(y), at(to), size.plane())
                        : sigmoid_backward(size.type, at(from), at(y), at(to), size.plane());
    });
  }
  // The model's output is float32, whatever the logits are stored as.
  const bool is_output = size.type == Type::f32;
  const SlotId from = is_output ? lowering.as_float(op, in) : lowering.slot_of(in);
  const SlotId to = lowering.make(out);
  lowering.append(op, [=](const Addresses& at) {
    return is_softmax ? softmax_forward(size.type, size.type, at(from), at(to), size.plane())
                      : sigmoid_forward(size.type, at(from), at(to), size.plane());
  });
}

// Nothing is saved: the backward pass draws the same mask again.
void lower_dropout(Lowering& lowering, const nn::Op& op) {
  const auto [in, out] = std::pair(op.inputs[0], op.outputs[0]);
  const Layout image = lowering.layout(in);
  const DropoutSize size{.samples = image.samples,
                         .pixels = image.pixels,
                         .channels = image.channels,
                         .stored = image.stored,
                         .rate = std::get<nn::Dropout>(lowering.layer(op).kind).rate,
                         .layer = op.layer,
                         .seed = lowering.options().seed};
  const SlotId from = lowering.slot_of(in);
  const SlotId to = lowering.make_in_place(out, in);
  lowering.append(op, [=](const Addresses& at) {
    return dropout(image.type, at(from), at(to), size, at.input().draws, at.arenas().scalars);
  });
}

LossSlots lower_loss(Lowering& lowering, const nn::Op& op) {
  const nn::Graph& graph = lowering.graph();
  const Layout logits = lowering.layout(op.inputs[0]);
  LossSlots slots{.losses = lowering.temporary(logits.samples * 8),
                  .right = lowering.temporary(logits.samples),
                  .size = {.loss = graph.loss,
                           .samples = logits.samples,
                           .outputs = logits.channels,
                           .stored = logits.stored,
                           .label_smoothing = graph.label_smoothing}};
  if (!lowering.is_training()) lowering.begin(kLoss);
  const SlotId from = lowering.as_float(op, op.inputs[0]);
  const SlotId to = op.outputs[0] < 0 ? kNoSlot : lowering.make(op.outputs[0]);
  lowering.append("loss", [=, type = lowering.type()](const Addresses& at) {
    LossSize size = slots.size;
    size.labels_are_indices = at.input().labels_are_indices;
    return loss(type, at.as<float>(from), at.input().labels, at.input().weights, at(to),
                at.as<double>(slots.losses), at.as<std::uint8_t>(slots.right), size,
                at.arenas().scalars);
  });
  return slots;
}

void append_loss_totals(Lowering& lowering, const LossSlots& slots) {
  lowering.begin(lowering.is_training() ? kTrain | kDifferentiate : kLoss);
  lowering.append("loss totals", [=](const Addresses& at) {
    return loss_totals(at.as<double>(slots.losses), at.input().weights,
                       at.as<std::uint8_t>(slots.right), slots.size, at.arenas().scalars);
  });
}

}  // namespace millrace::gpu
