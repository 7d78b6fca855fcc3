// Images of another size: zeros around them.

#include <millrace/gpu/kernels/resizing.h>
#include <millrace/gpu/lower/lowering.h>

#include <utility>

namespace millrace::gpu {

void lower(Lowering& lowering, const nn::Op& op, const nn::ZeroPadding& layer) {
  const bool is_forward = op.pass == nn::Pass::forward;
  const auto [in, out] = std::pair(op.source(), op.result());
  const Shape& from = lowering.graph().value(in).shape;
  const Shape& to = lowering.graph().value(out).shape;
  const Layout image = lowering.layout(in);
  const Shift how{.samples = image.samples,
                  .channels = image.channels,
                  .stored = image.stored,
                  .height = from[1],
                  .width = from[2],
                  .out_height = to[1],
                  .out_width = to[2],
                  .down = std::int64_t{layer.top} * (is_forward ? 1 : -1),
                  .right = std::int64_t{layer.left} * (is_forward ? 1 : -1)};
  const SlotId read = lowering.slot_of(in), made = lowering.make(out);
  lowering.append(op, [=, type = image.type](const Addresses& at) {
    return shift(type, at(read), at(made), how);
  });
}

}  // namespace millrace::gpu
