// Images of another size: zeros around them, or pixels several times.

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

void lower(Lowering& lowering, const nn::Op& op, const nn::Upsample& layer) {
  const bool is_forward = op.pass == nn::Pass::forward;
  const auto [in, out] = std::pair(op.source(), op.result());
  const nn::ValueId small = is_forward ? in : out;
  const Shape& image = lowering.graph().value(small).shape;
  const Upsampling size{.samples = image[0],
                        .height = image[1],
                        .width = image[2],
                        .channels = image[3],
                        .stored = lowering.layout(small).stored,
                        .rows = layer.rows,
                        .columns = layer.columns};
  const SlotId read = lowering.slot_of(in), made = lowering.make(out);
  lowering.append(op, [=, type = lowering.type()](const Addresses& at) {
    return is_forward ? upsample(type, at(read), at(made), size)
                      : upsample_backward(type, at(read), at(made), size);
  });
}

}  // namespace millrace::gpu
