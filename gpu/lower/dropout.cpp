// Dropout and stochastic depth, by kernels of our own.

#include <millrace/gpu/kernels/dropout.h>
#include <millrace/gpu/lower/lowering.h>

#include <utility>

namespace millrace::gpu {
namespace {

// Nothing is saved: the backward pass draws the same mask again.
void lower_masked(Lowering& lowering, const nn::Op& op, float rate, decltype(&dropout) launch) {
  const auto [in, out] = std::pair(op.source(), op.result());
  const Layout image = lowering.layout(in);
  const DropoutSize size{.samples = image.samples,
                         .pixels = image.pixels,
                         .channels = image.channels,
                         .stored = image.stored,
                         .rate = rate,
                         .layer = op.layer,
                         .seed = lowering.options().seed};
  const SlotId from = lowering.slot_of(in);
  const SlotId to = lowering.make_in_place(out, in);
  lowering.append(op, [=](const Addresses& at) {
    return launch(image.type, at(from), at(to), size, at.input().positions, at.arenas().scalars);
  });
}

}  // namespace

void lower(Lowering& lowering, const nn::Op& op, const nn::Dropout& layer) {
  lower_masked(lowering, op, layer.rate, dropout);
}

void lower(Lowering& lowering, const nn::Op& op, const nn::StochasticDepth& layer) {
  lower_masked(lowering, op, layer.rate, drop_samples);
}

}  // namespace millrace::gpu
