// What follows the gradients: the update of all parameters at once, and the penalty of L2.

#include <millrace/gpu/lower/lowering.h>
#include <millrace/gpu/update_arenas.h>

#include <utility>
#include <vector>

namespace millrace::gpu {
namespace {

/// A launch of a list is made anew for each binding, so the list is made once to know its length.
template <class List>
void append_list(Lowering& lowering, const char* name, const List& list) {
  const std::size_t count = list(no_arenas()).size();
  for (std::size_t i = 0; i < count; ++i) {
    lowering.append(name, [list, i](const Addresses& at) { return list(at.arenas()).at(i); });
  }
}

}  // namespace

void append_update(Lowering& lowering) {
  const auto list = [type = lowering.type(), options = lowering.options(),
                     size = update_size(lowering.parameters())](const Arenas& arenas) {
    const bool scales = options.precision == nn::Precision::fp16;
    return update(type, update_arenas(arenas, size), options.optimizer, options.gradient,
                  scales ? &options.loss_scale : nullptr, arenas.scalars, options.average);
  };
  append_list(lowering, "update", list);
}

void append_group_sum(Lowering& lowering) {
  const auto list = [type = lowering.type(),
                     size = update_size(lowering.parameters())](const Arenas& arenas) {
    return add_to_group(type, update_arenas(arenas, size), arenas.scalars);
  };
  append_list(lowering, "gradients of a group", list);
}

void append_group_mean(Lowering& lowering) {
  const auto list = [type = lowering.type(),
                     size = update_size(lowering.parameters())](const Arenas& arenas) {
    return end_group(type, update_arenas(arenas, size), arenas.scalars);
  };
  append_list(lowering, "gradients of a group", list);
}

void append_penalty(Lowering& lowering) {
  const auto list = [gradient = lowering.options().gradient,
                     size = update_size(lowering.parameters())](const Arenas& arenas) {
    return penalty(update_arenas(arenas, size), gradient, arenas.scalars);
  };
  append_list(lowering, "penalty", list);
}

}  // namespace millrace::gpu
