// The loss from float32 logits, and the totals of a step.

#include <millrace/gpu/lower/lowering.h>

namespace millrace::gpu {

LossSize LossSlots::size_for(const InputMemory& input) const {
  LossSize result = size;
  result.labels_are_indices = input.labels_are_indices;
  result.weighs_outputs = input.weighs_outputs;
  return result;
}

LossSlots lower_loss(Lowering& lowering, const nn::Op& op) {
  const nn::Graph& graph = lowering.graph();
  const Layout logits = lowering.layout(op.x());
  LossSlots slots{.losses = lowering.temporary(2 * logits.samples * 8),
                  .right = lowering.temporary(logits.samples),
                  .size = {.loss = graph.loss,
                           .samples = logits.samples,
                           .outputs = logits.channels,
                           .stored = logits.stored,
                           .label_smoothing = graph.label_smoothing}};
  if (!lowering.graph().trains()) lowering.begin(kLoss);
  const SlotId from = lowering.as_float(op, op.x());
  const SlotId to = op.dx() < 0 ? kNoSlot : lowering.make(op.dx());
  lowering.append("loss", [=, type = lowering.type()](const Addresses& at) {
    const LossSize size = slots.size_for(at.input());
    return loss(type, at.as<float>(from), at.input().labels, at.input().weights, at(to),
                at.as<double>(slots.losses), at.as<std::uint8_t>(slots.right), size,
                at.arenas().scalars);
  });
  return slots;
}

void append_loss_totals(Lowering& lowering, const LossSlots& slots) {
  lowering.begin(lowering.graph().trains() ? kTrain | kDifferentiate : kLoss);
  lowering.append("loss totals", [=](const Addresses& at) {
    return loss_totals(at.as<double>(slots.losses), at.input().weights,
                       at.as<std::uint8_t>(slots.right), slots.size_for(at.input()),
                       at.arenas().scalars);
  });
}

}  // namespace millrace::gpu
