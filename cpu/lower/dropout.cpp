// Dropout and stochastic depth, by loops of our own.

#include <millrace/cpu/kernels/dropout.h>
#include <millrace/cpu/lower/lowering.h>

#include <algorithm>
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

/// `memory`: x, a byte a sample, y. y may be x.
void apply_to_samples(std::int64_t samples, std::int64_t size, float rate,
                      std::span<std::byte* const> memory) {
  const auto* const x = reinterpret_cast<const float*>(memory[0]);
  auto* const y = reinterpret_cast<float*>(memory[2]);
  const float factor = 1.0F / (1.0F - rate);
#pragma omp parallel for schedule(static)
  for (std::int64_t n = 0; n < samples; ++n) {
    if (memory[1][n] == std::byte{0}) {
      std::fill_n(y + n * size, size, 0.0F);
      continue;
    }
    for (std::int64_t i = n * size; i < (n + 1) * size; ++i) y[i] = x[i] * factor;
  }
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

// A byte a sample; nothing is kept of rows that are not valid.
void lower(Lowering& lowering, const nn::Op& op, const nn::StochasticDepth& layer) {
  const auto [from, blocks] = in_blocks(lowering, op.source());
  const SlotId to = lowering.make_in_place(op.result(), from);
  const bool is_forward = op.pass == nn::Pass::forward;
  const nn::ValueId saved = op.saved(nn::StochasticDepth::kMask);
  const ChannelBlocks samples{.samples = blocks.samples, .channels = 1, .pixels = 1, .block = 1};
  const SlotId mask =
      is_forward ? lowering.make(saved, byte_layout(static_cast<std::size_t>(samples.samples)))
                 : lowering.slot_of(saved);
  const DropoutMask how{lowering.options().seed, op.layer, layer.rate};
  lowering.append(lowering.step_name(op), is_forward ? "philox" : "mask", {from, mask, to},
                  [=, size = blocks.sample_stride()](std::span<std::byte* const> memory, Run& run) {
                    if (is_forward) draw_masks(samples, how, *run.batch, memory[1]);
                    apply_to_samples(samples.samples, size, how.rate, memory);
                  });
}

}  // namespace millrace::cpu
