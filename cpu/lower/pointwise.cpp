// Operations on values one by one or row by row: ReLU, sigmoid, softmax, dropout, and the loss.

#include <millrace/cpu/kernels/loops.h>
#include <millrace/cpu/lower/lowering.h>

#include <utility>

namespace millrace::cpu {
namespace {

using onednn::Found;
using onednn::Kernel;

/// The layout of a value, then the logical order, which no padding makes difficult.
std::vector<Layout> layouts(const Lowering& lowering, nn::ValueId id) {
  const Layout here = lowering.layout(lowering.slot_of(id));
  return {here, plain_layout(here)};
}

dnnl::algorithm algorithm_of(const nn::Op& op) {
  return op.kind == nn::OpKind::relu ? dnnl::algorithm::eltwise_relu_use_dst_for_bwd
                                     : dnnl::algorithm::eltwise_logistic_use_dst_for_bwd;
}

void append_backward(Lowering& lowering, const nn::Op& op, const Kernel& kernel) {
  const SlotId dy = lowering.in_layout(op.inputs[0], kernel.at(DNNL_ARG_DIFF_DST));
  const SlotId y = lowering.in_layout(op.inputs[1], kernel.at(DNNL_ARG_DST));
  const SlotId dx = lowering.make_in_place(op.outputs[0], dy);
  lowering.append(lowering.step_name(op), kernel,
                  {{DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_DST, y}, {DNNL_ARG_DIFF_SRC, dx}});
}

/// What a loop over images needs to know; values in other layouts are put into the logical order.
std::pair<SlotId, ChannelBlocks> in_blocks(Lowering& lowering, nn::ValueId id) {
  const Layout here = lowering.layout(lowering.slot_of(id));
  const auto blocks = channel_blocks(here);
  if (blocks) return {lowering.slot_of(id), *blocks};
  const Layout plain = plain_layout(here);
  return {lowering.in_layout(id, plain), channel_blocks(plain).value()};
}

}  // namespace

void lower_eltwise(Lowering& lowering, const nn::Op& op) {
  const bool is_forward = op.pass == nn::Pass::forward;
  std::vector<Found> found;
  for (const Layout& layout : layouts(lowering, is_forward ? op.inputs[0] : op.inputs[1])) {
    const auto find = is_forward ? onednn::eltwise_forward : onednn::eltwise_backward;
    found.push_back(find(lowering.engine(), algorithm_of(op), layout));
  }
  const Kernel kernel = lowering.choose(op, found);
  if (!is_forward) return append_backward(lowering, op, kernel);
  const SlotId x = lowering.in_layout(op.inputs[0], kernel.at(DNNL_ARG_SRC));
  const SlotId y = lowering.make_in_place(op.outputs[0], x);
  lowering.append(lowering.step_name(op), kernel, {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}});
}

void lower_softmax(Lowering& lowering, const nn::Op& op) {
  const Layout plain = plain_layout(lowering.value(op.outputs[0]).shape);
  if (op.pass != nn::Pass::forward) {
    const Found found = onednn::softmax_backward(lowering.engine(), plain);
    return append_backward(lowering, op, lowering.choose(op, {found}));
  }
  const Kernel kernel = lowering.choose(op, {onednn::softmax_forward(lowering.engine(), plain)});
  const SlotId x = lowering.in_layout(op.inputs[0], plain);
  const SlotId y = lowering.make(op.outputs[0], plain);
  lowering.append(lowering.step_name(op), kernel, {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}});
}

// The mask is kept in the logical order, one byte an element, so that it does not depend on
// layouts.
void lower_dropout(Lowering& lowering, const nn::Op& op) {
  const float rate = std::get<nn::Dropout>(lowering.layer(op).kind).rate;
  const auto [from, blocks] = in_blocks(lowering, op.inputs[0]);
  const SlotId to = lowering.make_in_place(op.outputs[0], from);
  if (op.pass != nn::Pass::forward) {
    const auto loop = [blocks = blocks, rate](std::span<std::byte* const> memory, Run&) {
      apply_dropout(blocks, rate, memory[0], memory[1], memory[2]);
    };
    const SlotId mask = lowering.slot_of(op.inputs[1]);
    return lowering.append(lowering.step_name(op), "mask", {from, mask, to}, loop);
  }
  const SlotId mask = lowering.make(
      op.outputs[1],
      byte_layout(static_cast<std::size_t>(lowering.value(op.inputs[0]).shape.elements())));
  const DropoutDraws draws{lowering.options().seed, op.layer, rate};
  lowering.append(lowering.step_name(op), "philox", {from, mask, to},
                  [blocks = blocks, draws](std::span<std::byte* const> memory, Run& run) {
                    draw_masks(blocks, draws, *run.batch, memory[1]);
                    apply_dropout(blocks, draws.rate, memory[0], memory[1], memory[2]);
                  });
}

void lower_loss(Lowering& lowering, const nn::Op& op) {
  const Shape& shape = lowering.value(op.inputs[0]).shape;
  const Layout plain = plain_layout(shape);
  std::vector<SlotId> uses{lowering.in_layout(op.inputs[0], plain)};
  if (op.outputs[0] >= 0) uses.push_back(lowering.make(op.outputs[0], plain));
  const auto elements = static_cast<std::size_t>(shape.elements());
  lowering.append(
      kLossStep, nn::to_string(op.kind), uses,
      [elements, k = shape[1], loss = lowering.loss(), smoothing = lowering.label_smoothing()](
          std::span<std::byte* const> memory, Run& run) {
        const std::span<const float> logits(reinterpret_cast<const float*>(memory[0]), elements);
        std::span<float> gradient;
        if (memory.size() > 1) gradient = {reinterpret_cast<float*>(memory[1]), elements};
        const nn::Batch& batch = *run.batch;
        run.result = nn::evaluate_loss<float>(loss, logits, batch.labels, batch.weights,
                                              batch.samples, k, gradient, smoothing);
        if (run.share != 1) {  // of what is divided by the whole batch's samples
          for (float& g : gradient) g *= run.share;
        }
      });
}

}  // namespace millrace::cpu
