// Where values meet: sums, with the ReLU after them, products, and channels side by side.

#include <millrace/core/error.h>
#include <millrace/gpu/kernels/merging.h>
#include <millrace/gpu/lower/lowering.h>

#include <array>
#include <span>
#include <string>
#include <vector>

namespace millrace::gpu {
namespace {

void append_sum(Lowering& lowering, const std::string& name, const std::vector<SlotId>& terms,
                SlotId y, const Layout& size, bool relu) {
  lowering.append(name, [=](const Addresses& at) {
    std::array<const void*, kMostTerms> memory{};
    for (std::size_t i = 0; i < terms.size(); ++i) memory[i] = at(terms[i]);
    return sum(size.type, std::span(memory).first(terms.size()), at(y), size.elements(), relu);
  });
}

/// Copies the channels of an input to their place in the output, or back. `before`: channels of the
/// inputs before it.
void append_part(Lowering& lowering, const nn::Op& op, SlotId from, SlotId to, const Layout& part,
                 const Layout& whole, std::int64_t before) {
  const bool is_forward = op.pass == nn::Pass::forward;
  ChannelCopy how{.rows = part.plane().rows, .channels = part.channels};
  how.from_first = is_forward ? 0 : before;
  how.to_first = is_forward ? before : 0;
  how.from_stored = is_forward ? part.stored : whole.stored;
  how.to_stored = is_forward ? whole.stored : part.stored;
  const bool is_last = !is_forward || before + part.channels == whole.channels;
  if (is_last) how.zeros = how.to_stored - how.to_first - how.channels;
  lowering.append(op, [=, type = part.type](const Addresses& at) {
    return copy_channels(type, at(from), at(to), how);
  });
}

}  // namespace

void lower(Lowering& lowering, const nn::Op& op, const nn::Add&) {
  const nn::ValueId relu = lowering.fuse_relu(op.y());
  const nn::ValueId target = relu >= 0 ? relu : op.y();
  std::vector<SlotId> terms;
  for (int i = 0; op.x(i) >= 0; ++i) terms.push_back(lowering.slot_of(op.x(i)));
  if (terms.size() > kMostTerms) {
    throw Error(concat("gpu: ", lowering.step_name(op), ": sums of ", terms.size(),
                       " inputs are not supported; ", kMostTerms, " are the most"));
  }
  append_sum(lowering, lowering.step_name(op, relu >= 0 ? "+ relu" : ""), terms,
             lowering.make_in_place(target, op.x()), lowering.layout(target), relu >= 0);
}

// The result of a ReLU is often read by several layers: then the sum of their gradients also does
// the ReLU's backward pass, which saves a pass over memory.
void lower_gradient_sum(Lowering& lowering, const nn::Op& op) {
  const SlotId a = lowering.slot_of(op.x()), b = lowering.slot_of(op.x(1));
  const Layout size = lowering.layout(op.y());
  const nn::Op* const relu = lowering.uses().relu_gradient_of(op.y());
  // The bias gradient that the ReLU's backward pass makes on the way is worth more.
  if (relu == nullptr || lowering.bias_gradient_of(relu->dx()) >= 0) {
    const SlotId y = lowering.make_in_place(op.y(), op.x());
    return append_sum(lowering, lowering.step_name(op), {a, b}, y, size, false);
  }
  const SlotId y = lowering.slot_of(relu->at(nn::operand::y));
  const SlotId dx = lowering.make_in_place(relu->dx(), op.x());
  lowering.leave_out(*relu);
  lowering.append(lowering.step_name(op, "+ relu"), [=](const Addresses& at) {
    return sum_and_relu_backward(size.type, at(a), at(b), at(y), at(dx), size.elements());
  });
}

void lower(Lowering& lowering, const nn::Op& op, const nn::Concat&) {
  const bool is_forward = op.pass == nn::Pass::forward;
  const nn::ValueId all = is_forward ? op.y() : op.dy();
  const Layout whole = lowering.layout(all);
  const SlotId of_all = is_forward ? lowering.make(all) : lowering.slot_of(all);
  const nn::Op& forward = lowering.graph().forward_of(op);
  std::int64_t before = 0;
  for (int i = 0; forward.x(i) >= 0; ++i) {
    const Layout part = lowering.layout(forward.x(i));
    if (is_forward) {
      append_part(lowering, op, lowering.slot_of(op.x(i)), of_all, part, whole, before);
    } else if (op.dx(i) >= 0) {
      append_part(lowering, op, of_all, lowering.make(op.dx(i)), part, whole, before);
    }
    before += part.channels;
  }
}

void lower(Lowering& lowering, const nn::Op& op, const nn::Multiply&) {
  const Layout size = lowering.layout(op.x());
  const bool is_by_channel =
      lowering.graph().value(op.x(1)).shape != lowering.graph().value(op.x()).shape;
  const SlotId x = lowering.slot_of(op.x()), factors = lowering.slot_of(op.x(1));
  const auto append_product = [&](SlotId from, SlotId to) {
    lowering.append(op, [=](const Addresses& at) {
      return is_by_channel ? channel_products(size.type, at(from), at(factors), at(to),
                                              size.plane(), size.pixels)
                           : product(size.type, at(from), at(factors), at(to), size.elements());
    });
  };
  if (op.pass == nn::Pass::forward) {
    return append_product(x, lowering.make_in_place(op.y(), op.x()));
  }
  const SlotId dy = lowering.slot_of(op.dy());
  if (op.dx(1) >= 0) {
    const SlotId to = lowering.make(op.dx(1));
    lowering.append(lowering.step_name(op, "factors"), [=](const Addresses& at) {
      return is_by_channel
                 ? channel_product_sums(size.type, at(dy), at(x), at(to), size.plane(), size.pixels)
                 : product(size.type, at(dy), at(x), at(to), size.elements());
    });
  }
  if (op.dx() >= 0) append_product(dy, lowering.make(op.dx()));
}

}  // namespace millrace::gpu
