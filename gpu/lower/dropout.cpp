// Dropout, by a kernel of our own.

#include <millrace/gpu/kernels/dropout.h>
#include <millrace/gpu/lower/lowering.h>

#include <utility>

namespace millrace::gpu {

// Nothing is saved: the backward pass draws the same mask again.
void lower(Lowering& lowering, const nn::Op& op, const nn::Dropout& layer) {
  const auto [in, out] = std::pair(op.source(), op.result());
  const Layout image = lowering.layout(in);
  const DropoutSize size{.samples = image.samples,
                         .pixels = image.pixels,
                         .channels = image.channels,
                         .stored = image.stored,
                         .rate = layer.rate,
                         .layer = op.layer,
                         .seed = lowering.options().seed};
  const SlotId from = lowering.slot_of(in);
  const SlotId to = lowering.make_in_place(out, in);
  lowering.append(op, [=](const Addresses& at) {
    return dropout(image.type, at(from), at(to), size, at.input().positions, at.arenas().scalars);
  });
}

}  // namespace millrace::gpu
