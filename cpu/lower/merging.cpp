// Where values meet: sums, with the ReLU or ReLU6 after them, products, and parts side by side.
// Values are brought into the layout of the first of them.

#include <millrace/cpu/kernels/merging.h>
#include <millrace/cpu/lower/lowering.h>

#include <utility>

namespace millrace::cpu {
namespace {

/// With the padding of blocks.
std::int64_t count_of(const Layout& layout) {
  return static_cast<std::int64_t>(layout.get_size() / sizeof(float));
}

void append_sum(Lowering& lowering, const std::string& name, SlotId a, SlotId b, float ceiling,
                SlotId y) {
  lowering.append(name, "add", {a, b, y},
                  [ceiling, count = count_of(lowering.layout(y))](Memory memory, Run&) {
                    add(count, floats(memory, 0), floats(memory, 1), ceiling, floats(memory, 2));
                  });
}

/// Images of which one is a part of the other's channels.
SideBySide side_by_side(const std::vector<Layout>& parts) {
  const ChannelBlocks first = channel_blocks(parts.front()).value();
  const bool is_plain = parts.front() == plain_layout(parts.front());
  SideBySide result{.rows = is_plain ? first.samples * first.pixels : first.samples};
  for (const Layout& part : parts) result.sizes.push_back(count_of(part) / result.rows);
  return result;
}

/// How the parts of a concat lie: in blocks of channels as the first does where all of them are
/// whole blocks, else in the logical order.
std::vector<Layout> part_layouts(const Lowering& lowering, const nn::Op& forward, int count) {
  const Layout first = lowering.image_layout(forward.x());
  const auto blocks = channel_blocks(first);
  std::vector<Layout> ordered, plain;
  for (int i = 0; i < count; ++i) {
    const Shape& shape = lowering.shape(forward.x(i));
    plain.push_back(plain_layout(shape));
    const auto same = in_order_of(first, dims_of(shape));
    if (blocks && same && shape[-1] % blocks->block == 0) ordered.push_back(*same);
  }
  const bool are_whole = ordered.size() == plain.size() && first != plain.front();
  return are_whole ? ordered : plain;
}

int inputs_of(const nn::Op& op) {
  int count = 0;
  while (op.x(count) >= 0) ++count;
  return count;
}

void concat_forward(Lowering& lowering, const nn::Op& op) {
  const std::vector<Layout> parts = part_layouts(lowering, op, inputs_of(op));
  const Shape& shape = lowering.shape(op.y());
  const Layout whole = in_order_of(parts.front(), dims_of(shape)).value_or(plain_layout(shape));
  std::vector<SlotId> uses;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    uses.push_back(lowering.in_layout(op.x(static_cast<int>(i)), parts[i]));
  }
  uses.push_back(lowering.make(op.y(), whole));
  lowering.forward(op) = {parts.front(), whole};
  lowering.append(lowering.step_name(op), "concat", uses,
                  [how = side_by_side(parts), from = std::vector<const float*>(parts.size())](
                      Memory memory, Run&) mutable {
                    for (std::size_t i = 0; i < from.size(); ++i) from[i] = floats(memory, i);
                    join(how, from, floats(memory, from.size()));
                  });
}

}  // namespace

void lower(Lowering& lowering, const nn::Op& op, const nn::Add&) {
  const Lowering::Made made = lowering.fuse(op.y());
  const Layout layout = lowering.image_layout(op.x());
  const int count = inputs_of(op);
  SlotId sum = lowering.in_layout(op.x(), layout);
  for (int i = 1; i < count; ++i) {
    const bool is_last = i + 1 == count;
    const SlotId part = lowering.in_layout(op.x(i), layout);
    const SlotId y = is_last ? lowering.make_in_place(made.value, sum) : lowering.temporary(layout);
    append_sum(lowering, lowering.step_name(op, made.detail()), sum, part,
               is_last ? made.ceiling : kNoRectifier, y);
    sum = y;
  }
}

// What comes before a ReLU is often taken by several layers: then its part of the backward pass is
// done on the way.
void lower_gradient_sum(Lowering& lowering, const nn::Op& op) {
  const nn::Op* relu = lowering.uses().relu_gradient_of(op.y());
  if (relu != nullptr && lowering.is_left_out(*relu)) relu = nullptr;
  const Layout layout = lowering.image_layout(op.x());
  const SlotId a = lowering.in_layout(op.x(), layout);
  const SlotId b = lowering.in_layout(op.x(1), layout);
  if (relu == nullptr) {
    return append_sum(lowering, lowering.step_name(op), a, b, kNoRectifier,
                      lowering.make_in_place(op.y(), a));
  }
  const SlotId y = lowering.in_layout(relu->at(nn::operand::y), layout);
  const SlotId dx = lowering.make_in_place(relu->dx(), a);
  lowering.append(lowering.step_name(op, "+ relu"), "add", {a, b, y, dx},
                  [count = count_of(layout)](Memory memory, Run&) {
                    const auto at = [&](std::size_t i) { return floats(memory, i); };
                    add_before_relu(count, at(0), at(1), at(2), at(3));
                  });
  lowering.leave_out(*relu);
}

void lower(Lowering& lowering, const nn::Op& op, const nn::Concat&) {
  if (op.pass == nn::Pass::forward) return concat_forward(lowering, op);
  const nn::Op& forward = lowering.graph().forward_of(op);
  std::vector<SlotId> uses{lowering.in_layout(op.dy(), lowering.forward(op).destination)};
  std::vector<Layout> parts;
  std::vector<bool> is_wanted;
  for (int i = 0; forward.x(i) >= 0; ++i) {
    const Shape& part = lowering.shape(forward.x(i));
    const auto ordered = in_order_of(lowering.forward(op).source, dims_of(part));
    parts.push_back(ordered.value_or(plain_layout(part)));
    is_wanted.push_back(op.dx(i) >= 0);
    if (is_wanted.back()) uses.push_back(lowering.make(op.dx(i), parts.back()));
  }
  lowering.append(lowering.step_name(op), "split", uses,
                  [how = side_by_side(parts), is_wanted, to = std::vector<float*>(parts.size())](
                      Memory memory, Run&) mutable {
                    std::size_t next = 1;
                    for (std::size_t i = 0; i < to.size(); ++i) {
                      to[i] = is_wanted[i] ? floats(memory, next++) : nullptr;
                    }
                    split(how, floats(memory, 0), to);
                  });
}

void lower(Lowering& lowering, const nn::Op& op, const nn::Multiply&) {
  const Layout layout = lowering.image_layout(op.x());
  const bool is_by_channel = lowering.shape(op.x(1)) != lowering.shape(op.x());
  const Layout factors = is_by_channel ? plain_layout(lowering.shape(op.x(1))) : layout;
  const SlotId x = lowering.in_layout(op.x(), layout);
  const SlotId f = lowering.in_layout(op.x(1), factors);
  const ChannelBlocks blocks = channel_blocks(layout).value();
  const std::int64_t count = count_of(layout);
  const auto by_factors = [=](const float* from, const float* factor, float* to) {
    is_by_channel ? multiply_channels(blocks, from, factor, to) : multiply(count, from, factor, to);
  };
  if (op.pass == nn::Pass::forward) {
    return lowering.append(lowering.step_name(op), "multiply",
                           {x, f, lowering.make_in_place(op.y(), x)}, [=](Memory memory, Run&) {
                             by_factors(floats(memory, 0), floats(memory, 1), floats(memory, 2));
                           });
  }
  const SlotId dy = lowering.in_layout(op.dy(), layout);
  if (op.dx(1) >= 0) {
    lowering.append(lowering.step_name(op, "factors"), "multiply",
                    {dy, x, lowering.make(op.dx(1), factors)}, [=](Memory memory, Run&) {
                      const auto at = [&](std::size_t i) { return floats(memory, i); };
                      is_by_channel ? sum_channel_products(blocks, at(0), at(1), at(2))
                                    : multiply(count, at(0), at(1), at(2));
                    });
  }
  if (op.dx() < 0) return;
  lowering.append(lowering.step_name(op), "multiply", {dy, f, lowering.make(op.dx(), layout)},
                  [=](Memory memory, Run&) {
                    by_factors(floats(memory, 0), floats(memory, 1), floats(memory, 2));
                  });
}

}  // namespace millrace::cpu
