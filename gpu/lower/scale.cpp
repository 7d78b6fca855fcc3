// One factor a channel.

#include <millrace/gpu/kernels/column_sums.h>
#include <millrace/gpu/kernels/scale.h>
#include <millrace/gpu/lower/lowering.h>

#include <utility>

namespace millrace::gpu {

void lower(Lowering& lowering, const nn::Op& op, const nn::Scale&) {
  const Layout size = lowering.layout(op.source());
  const SlotId from = lowering.slot_of(op.source());
  if (op.pass != nn::Pass::backward_parameters) {
    const SlotId factors = lowering.master(op.parameter(nn::Role::gamma));
    const SlotId to = lowering.make_in_place(op.result(), op.source());
    return lowering.append(op, [=](const Addresses& at) {
      return scale_channels(size.type, at(from), at.as<float>(factors), at(to), size.plane());
    });
  }
  const SlotId x = lowering.slot_of(op.x());
  const SlotId partials = lowering.temporary_floats(sum_parts(size.plane().rows) * size.stored);
  const SlotId gradient = lowering.gradient(op.gradient(nn::Role::gamma));
  lowering.append(lowering.step_name(op, "sums"), [=](const Addresses& at) {
    return scale_gradient_sums(size.type, at(from), at(x), at.as<float>(partials), size.plane(),
                               size.pixels, at.arenas().scalars);
  });
  lowering.append(op, [=](const Addresses& at) {
    return column_totals(size.type, at.as<float>(partials), at(gradient), size.plane());
  });
}

}  // namespace millrace::gpu
