// Batch normalisation: statistics of the batch in training, running ones otherwise and when frozen.
// A slice finds the sums of its rows; the next section begins when all have theirs. What comes
// right after - a shortcut that is added, a ReLU or ReLU6 - is done on the way, and so is the
// ReLU's part of the backward pass.

#include <millrace/core/error.h>
#include <millrace/cpu/kernels/batch_norm.h>
#include <millrace/cpu/lower/lowering.h>

#include <utility>

namespace millrace::cpu {
namespace {

using onednn::Tag;
Layout row_of(std::int64_t count) {
  return onednn::layout({1, count}, Tag::ab);
}

/// The layout of a value if its channels lie beside each other, else the logical order.
Layout layout_of(const Lowering& lowering, nn::ValueId id) {
  const Layout here = lowering.layout(lowering.slot_of(id));
  const Layout plain =
      plain_layout(lowering.shape(id));  // a flattened image lies as the image does
  if (onednn::dims(here) != onednn::dims(plain)) return plain;
  const auto blocks = channel_blocks(here);
  return blocks && (blocks->block > 1 || blocks->channels == 1) ? here : plain;
}

NormRows rows_of(const Layout& layout) {
  return {.image = channel_blocks(layout).value()};
}
NormRows valid(NormRows rows, const Run& run) {
  rows.rows = run.batch->samples;
  return rows;
}

/// All threads' rows of floats, of which `whole` has one for each.
std::span<const float> all_of(Memory memory, std::size_t i, std::int64_t slices, std::int64_t row) {
  return {floats(memory, i), static_cast<std::size_t>(slices * row)};
}

/// `constants` are there.
void append_normalise(Lowering& lowering, const nn::Op& op, const Layout& data, SlotId constants) {
  const Lowering::Made made = lowering.fuse(op.y(), lowering.sum_behind(op.y()));
  const bool adds = made.added >= 0;
  const SlotId x = lowering.in_layout(op.x(), data);
  std::vector<SlotId> uses{x, constants, kNoSlot};
  if (adds) uses.push_back(lowering.in_layout(made.added, data));
  uses[2] = lowering.make_in_place(made.value, adds ? uses[3] : x);
  lowering.append(
      lowering.step_name(op, made.detail()), "normalise", uses,
      [rows = rows_of(data), ceiling = made.ceiling](Memory memory, Run& run) {
        const float* other = memory.size() > 3 ? floats(memory, 3) : nullptr;
        normalise(valid(rows, run), floats(memory, 0), floats(memory, 1),
                  {.ceiling = ceiling, .other = other}, floats(memory, 2));
      },
      true);
}

void forward_of_batch(Lowering& lowering, const nn::Op& op, const nn::BatchNorm& norm,
                      const Layout& data) {
  const NormRows rows = rows_of(data);
  const std::int64_t padded = rows.padded(), slices = lowering.options().division.slices;
  const SlotId own = lowering.temporary(row_of(statistics_size(padded)));
  lowering.append(
      lowering.step_name(op, "statistics"), "statistics", {lowering.in_layout(op.x(), data), own},
      [rows](Memory memory, Run& run) {
        find_statistics(valid(rows, run), floats(memory, 0), floats(memory, 1));
      },
      true);
  if (slices > 1) lowering.begin_section();
  const SlotId constants =
      lowering.make(op.saved(nn::BatchNorm::kMean), row_of(kNormConstants * padded));
  const bool is_first = lowering.options().slice == 0;
  lowering.append(
      lowering.step_name(op, "constants"), "constants",
      {lowering.whole(own), lowering.plain_parameter(op, nn::Role::gamma),
       lowering.plain_parameter(op, nn::Role::beta), constants,
       lowering.plain_parameter(op, nn::Role::running_mean),
       lowering.plain_parameter(op, nn::Role::running_variance)},
      [norm, padded, slices, is_first, channels = rows.image.channels](Memory memory, Run&) {
        const auto all = all_of(memory, 0, slices, statistics_size(padded));
        set_constants(norm, channels, padded, all, floats(memory, 1), floats(memory, 2),
                      floats(memory, 3));
        if (!is_first) return;  // the running ones are everybody's
        move_running(norm, channels, padded, all, floats(memory, 4), floats(memory, 5));
      });
  append_normalise(lowering, op, data, constants);
}

SlotId append_running_constants(Lowering& lowering, const nn::Op& op, const nn::BatchNorm& norm,
                                const NormRows& rows) {
  const SlotId constants = lowering.temporary(row_of(kNormConstants * rows.padded()));
  lowering.append(
      lowering.step_name(op, "constants"), "constants",
      {lowering.plain_parameter(op, nn::Role::running_mean),
       lowering.plain_parameter(op, nn::Role::running_variance),
       lowering.plain_parameter(op, nn::Role::gamma), lowering.plain_parameter(op, nn::Role::beta),
       constants},
      [norm, padded = rows.padded(), channels = rows.image.channels](Memory memory, Run&) {
        const auto at = [&](std::size_t i) { return floats(memory, i); };
        set_constants(norm, channels, padded, {at(0), at(1), at(2), at(3)}, at(4));
      });
  return constants;
}

void forward(Lowering& lowering, const nn::Op& op, const nn::BatchNorm& norm) {
  const Layout data = layout_of(lowering, op.x());
  lowering.forward(op) = {data, data};
  if (op.saved(nn::BatchNorm::kMean) >= 0) return forward_of_batch(lowering, op, norm, data);
  append_normalise(lowering, op, data, append_running_constants(lowering, op, norm, rows_of(data)));
}

void backward(Lowering& lowering, const nn::Op& op) {
  const Layout data = lowering.forward(op).source;
  const NormRows rows = rows_of(data);
  const std::int64_t padded = rows.padded(), channels = rows.image.channels;
  const std::int64_t slices = lowering.options().division.slices;
  const auto rectifier = lowering.rectifier_behind_norm(op);
  const bool masks = rectifier.op != nullptr;
  const float ceiling = masks ? rectifier.ceiling : kNoRectifier;
  const SlotId dy = lowering.in_layout(masks ? rectifier.op->dy() : op.dy(), data);
  const SlotId x = lowering.in_layout(op.x(), data);
  const SlotId constants = lowering.slot_of(op.saved(nn::BatchNorm::kMean));
  const SlotId own = lowering.temporary(row_of(2 * padded));
  const Layout of_channels = plain_layout(Shape{channels});
  lowering.append(
      lowering.step_name(op, masks ? "sums + relu" : "sums"), "norm_sums",
      {x, dy, constants, own, lowering.gradient(op.gradient(nn::Role::gamma), of_channels),
       lowering.gradient(op.gradient(nn::Role::beta), of_channels)},
      [rows, padded, channels, ceiling](Memory memory, Run& run) {
        float* const sums = floats(memory, 3);
        find_gradient_sums(valid(rows, run), floats(memory, 0), floats(memory, 1),
                           floats(memory, 2), ceiling, sums);
        std::copy_n(sums + padded, channels, floats(memory, 4));
        std::copy_n(sums, channels, floats(memory, 5));
      },
      true);
  if (op.dx() < 0) return;
  if (slices > 1) lowering.begin_section();
  lowering.append(
      lowering.step_name(op, masks ? "+ relu" : ""), "norm_gradient",
      {x, dy, constants, lowering.whole(own), lowering.make_in_place(op.dx(), dy)},
      [rows, slices, padded, ceiling](Memory memory, Run& run) {
        normalise_gradient(valid(rows, run), floats(memory, 0), floats(memory, 1),
                           floats(memory, 2), all_of(memory, 3, slices, 2 * padded),
                           run.samples * rows.image.pixels, ceiling, floats(memory, 4));
      },
      true);
}

// With given statistics the operation is a factor a channel.
void frozen_backward(Lowering& lowering, const nn::Op& op, const nn::BatchNorm& norm) {
  const Layout data = lowering.forward(op).source;
  const NormRows rows = rows_of(data);
  const SlotId dy = lowering.in_layout(op.dy(), data);
  const nn::Op& forward = lowering.graph().forward_of(op);
  const SlotId constants = append_running_constants(lowering, forward, norm, rows);
  lowering.append(
      lowering.step_name(op), "factor", {dy, constants, lowering.make_in_place(op.dx(), dy)},
      [rows](Memory memory, Run& run) {
        scale_gradient(valid(rows, run), floats(memory, 0), floats(memory, 1), floats(memory, 2));
      });
}

}  // namespace

void lower(Lowering& lowering, const nn::Op& op, const nn::BatchNorm& norm) {
  if (op.pass == nn::Pass::forward) return forward(lowering, op, norm);
  if (op.gradient(nn::Role::gamma) >= 0) return backward(lowering, op);
  frozen_backward(lowering, op, norm);
}

}  // namespace millrace::cpu
