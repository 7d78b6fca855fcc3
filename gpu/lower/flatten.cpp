// Images as rows: another name where no padding lies between the channels.

#include <millrace/gpu/kernels/layout.h>
#include <millrace/gpu/lower/lowering.h>

#include <utility>

namespace millrace::gpu {

void lower(Lowering& lowering, const nn::Op& op, const nn::Flatten&) {
  const bool is_forward = op.pass == nn::Pass::forward;
  const auto [in, out] = std::pair(op.source(), op.result());
  const Layout image = lowering.layout(is_forward ? in : out);
  const Layout row = lowering.layout(is_forward ? out : in);
  if (image.pixels == 1 || image.channels == image.stored) return lowering.make_view(out, in);
  const Flattening size{image.samples, image.pixels, image.channels, image.stored, row.stored};
  const SlotId from = lowering.slot_of(in);
  const SlotId to = lowering.make(out);
  lowering.append(op, [=, type = lowering.type()](const Addresses& at) {
    return is_forward ? flatten(type, at(from), at(to), size)
                      : unflatten(type, at(from), at(to), size);
  });
}

}  // namespace millrace::gpu
