// Dropout, by loops of our own.

#include <millrace/cpu/kernels/dropout.h>
#include <millrace/cpu/lower/lowering.h>

#include <utility>

namespace millrace::cpu {
namespace {

/// What a loop over images needs to know; values in other layouts are put into the logical order.
std::pair<SlotId, ChannelBlocks> in_blocks(Lowering& lowering, nn::ValueId id) {
  const Layout here = lowering.layout(lowering.slot_of(id));
  const auto blocks = channel_blocks(here);
  if (blocks) return {lowering.slot_of(id), *blocks};
  const Layout plain = plain_layout(here);
  return {lowering.in_layout(id, plain), channel_blocks(plain).value()};
}

}  // namespace

// The mask is kept in the logical order, one byte an element, so that it does not depend on
// layouts.
void lower(Lowering& lowering, const nn::Op& op, const nn::Dropout& layer) {
  const auto [from, blocks] = in_blocks(lowering, op.source());
  const SlotId to = lowering.make_in_place(op.result(), from);
  const bool is_forward = op.pass == nn::Pass::forward;
  const nn::ValueId saved = op.saved(nn::Dropout::kMask);
  const auto bytes = static_cast<std::size_t>(lowering.shape(op.source()).elements());
  const SlotId mask =
      is_forward ? lowering.make(saved, byte_layout(bytes)) : lowering.slot_of(saved);
  const DropoutMask how{lowering.options().seed, op.layer, layer.rate};
  lowering.append(lowering.step_name(op), is_forward ? "philox" : "mask", {from, mask, to},
                  [=, blocks = blocks](std::span<std::byte* const> memory, Run& run) {
                    if (is_forward) draw_masks(blocks, how, *run.batch, memory[1]);
                    apply_dropout(blocks, how.rate, memory[0], memory[1], memory[2]);
                  });
}

}  // namespace millrace::cpu
