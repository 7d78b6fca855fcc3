// Where a program's values and parameters lie: slots, layouts and the conversions between them.

#include <millrace/core/error.h>
#include <millrace/cpu/lower/lowering.h>

#include <algorithm>
#include <utility>

namespace millrace::cpu {

SlotId Lowering::slot_of(nn::ValueId id) const {
  const SlotId slot = slots_[static_cast<std::size_t>(id)];
  MILLRACE_CHECK(slot != kNoSlot, "the value '", graph_.value(id).name,
                 "' is used before it is made");
  return slot;
}

SlotId Lowering::add(Slot slot) {
  if (slot.root == kNoSlot) slot.root = lowered_.slots.size();
  lowered_.slots.push_back(std::move(slot));
  return lowered_.slots.size() - 1;
}

SlotId Lowering::in_layout(nn::ValueId id, const Layout& wanted) {
  return convert(slot_of(id), wanted);
}

Layout Lowering::image_layout(nn::ValueId id) const {
  const Layout here = layout(slot_of(id)), plain = plain_layout(shape(id));
  return onednn::dims(here) == onednn::dims(plain) && channel_blocks(here) ? here : plain;
}

bool Lowering::has_layout(nn::ValueId id, const Layout& wanted) const {
  const SlotId slot = slot_of(id);
  return same_memory(layout(slot), wanted) ||
         std::ranges::any_of(conversions_, [&](const Conversion& made) {
           return made.from == slot && layout(made.to) == wanted;
         });
}

SlotId Lowering::view(SlotId slot, const Layout& layout) {
  Slot other = lowered_.slots[slot];
  other.layout = layout;
  return add(std::move(other));
}

SlotId Lowering::convert(SlotId slot, const Layout& wanted) {
  const Layout have = layout(slot);
  if (have == wanted) return slot;
  for (const auto& [from, to] : conversions_) {
    if (from == slot && layout(to) == wanted) return to;
  }
  SlotId result = kNoSlot;
  if (same_memory(have, wanted)) {
    result = view(slot, wanted);
  } else if (onednn::dims(have) == onednn::dims(wanted)) {
    result = temporary(wanted);
    append_reorder(slot, result);
  } else {  // [N][H][W][C] and [N][F]: they meet in the logical order
    const SlotId plain = convert(slot, plain_layout(have));
    return convert(view(plain, plain_layout(wanted)), wanted);
  }
  conversions_.push_back({slot, result});
  return result;
}

void Lowering::store(SlotId written, SlotId to) {
  if (written != to) append_reorder(written, to);
}

void Lowering::append_reorder(SlotId from, SlotId to) {
  const nn::Op& op = graph_.ops[std::min(op_, graph_.ops.size() - 1)];
  const auto kernel = onednn::reorder(engine_, layout(from), layout(to));
  if (!kernel) throw Error(concat("cpu: ", step_name(op), ": oneDNN cannot convert a layout"));
  append(step_name(op, "reorder"), *kernel, {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
  if (!is_preparing_) section_has_others_ = true;
}

Layout Lowering::parameter_layout(nn::ValueId id) const {
  return parameters_.layout(graph_.value(id).parameter);
}

SlotId Lowering::parameter_as_it_lies(nn::ValueId id, const Layout& wanted) {
  const int parameter = graph_.value(id).parameter;
  SlotId& slot = slots_[static_cast<std::size_t>(id)];
  if (slot == kNoSlot) {
    const Layout& own = parameters_.choose(parameter, wanted);
    slot = add({.layout = own, .place = Place::parameters, .parameter = parameter});
  }
  return slot;
}

SlotId Lowering::parameter(nn::ValueId id, const Layout& wanted) {
  return convert(parameter_as_it_lies(id, wanted), wanted);
}

SlotId Lowering::plain_parameter(const nn::Op& op, nn::Role role) {
  const nn::ValueId id = op.parameter(role);
  return parameter(id, plain_layout(shape(id)));
}

SlotId Lowering::gradient(nn::ValueId id, const Layout& written) {
  const int parameter = graph_.value(id).parameter;
  const Layout own = parameters_.layout(parameter);
  const SlotId slot = add({.layout = own, .place = Place::gradients, .parameter = parameter});
  place(id, slot);
  return own == written ? slot : temporary(written);
}

SlotId Lowering::piece(nn::ValueId id, const Layout& all, const Layout& piece, std::size_t within) {
  parameters_.choose(graph_.value(id).parameter, all);
  const bool is_gradient = graph_.value(id).role == nn::ValueRole::parameter_gradient;
  return add({.layout = piece,
              .place = is_gradient ? Place::gradients : Place::parameters,
              .is_whole = is_gradient,
              .parameter = graph_.value(id).parameter,
              .within = static_cast<std::int64_t>(within)});
}

SlotId Lowering::make(nn::ValueId id, const Layout& layout) {
  const SlotId slot = temporary(layout);
  if (id >= 0) place(id, slot);
  return slot;
}

SlotId Lowering::temporary(const Layout& layout) {
  return add({.layout = layout});
}

SlotId Lowering::whole(SlotId slot) {
  Slot all = lowered_.slots[slot];
  Slot& root = lowered_.slots[all.root];
  if (root.place == Place::activations) root.place = Place::shared;
  for (Slot& view : lowered_.slots) {
    if (view.root == all.root) view.place = root.place;
  }
  onednn::Dims dims = onednn::dims(all.layout);
  dims[0] *= options_.division.slices;
  all.layout = onednn::layout(dims, onednn::Tag::ab);
  all.place = root.place;
  all.is_whole = true;
  return add(std::move(all));
}

void Lowering::place(nn::ValueId id, SlotId slot) {
  slots_[static_cast<std::size_t>(id)] = slot;
}

bool Lowering::may_overwrite(SlotId slot, const nn::Op* absorbed) const {
  const SlotId root = lowered_.slots[slot].root;
  if (lowered_.slots[slot].place != Place::activations) return false;
  for (std::size_t id = 0; id < slots_.size(); ++id) {
    const bool is_here = slots_[id] != kNoSlot && lowered_.slots[slots_[id]].root == root;
    if (is_here && last_use(static_cast<nn::ValueId>(id), absorbed) > op_) return false;
  }
  // A copy in another layout may be asked for again.
  return std::none_of(conversions_.begin(), conversions_.end(), [&](const Conversion& made) {
    return lowered_.slots[made.to].root == root && lowered_.slots[made.from].root != root;
  });
}

bool Lowering::may_add_into(const Sum& sum) const {
  const auto root = [this](nn::ValueId id) { return lowered_.slots[slot_of(id)].root; };
  const auto is_there = [&](const nn::Argument& read) {
    return is_made(read.value) && root(read.value) == root(sum.other);
  };
  return std::ranges::none_of(graph_.ops[op_].inputs, is_there) &&
         may_overwrite(slot_of(sum.other), sum.op);
}

SlotId Lowering::make_in_place(nn::ValueId id, SlotId over) {
  if (!may_overwrite(over)) return make(id, layout(over));
  const SlotId slot = view(over, layout(over));
  if (id >= 0) place(id, slot);
  return slot;
}

}  // namespace millrace::cpu
