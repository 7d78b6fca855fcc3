// Activations: functions of elements one by one, and softmax.

#include <millrace/gpu/kernels/activation.h>
#include <millrace/gpu/lower/lowering.h>

#include <utility>

namespace millrace::gpu {

namespace {

/// `forward`(type, x, y, plane) and `backward`(type, dy, `data`, dx, plane) make the launches.
template <class Forward, class Backward>
void lower_by_rows(Lowering& lowering, const nn::Op& op, const nn::Operand& data, Forward forward,
                   Backward backward) {
  const auto [in, out] = std::pair(op.source(), op.result());
  const Layout size = lowering.layout(out);
  if (op.pass != nn::Pass::forward) {
    const SlotId from = lowering.slot_of(in);
    const SlotId read = lowering.slot_of(op.at(data));
    const SlotId to = lowering.make(out);
    return lowering.append(op, [=](const Addresses& at) {
      return backward(size.type, at(from), at(read), at(to), size.plane());
    });
  }
  // The model's output is float32, whatever the logits are stored as.
  const bool is_output = size.type == Type::f32;
  const SlotId from = is_output ? lowering.as_float(op, in) : lowering.slot_of(in);
  const SlotId to = lowering.make(out);
  lowering.append(
      op, [=](const Addresses& at) { return forward(size.type, at(from), at(to), size.plane()); });
}

}  // namespace

// On the way back the bias gradient of the layer before is made in the same pass.
void lower(Lowering& lowering, const nn::Op& op, const nn::Relu&) {
  const auto [in, out] = std::pair(op.source(), op.result());
  const Layout size = lowering.layout(out);
  const SlotId from = lowering.slot_of(in);
  const SlotId to = lowering.make_in_place(out, in);
  if (op.pass == nn::Pass::forward) {
    return lowering.append(op, [=](const Addresses& at) {
      return relu_forward(size.type, at(from), at(to), size.elements());
    });
  }
  const SlotId y = lowering.slot_of(op.at(nn::operand::y));
  const nn::ValueId db = lowering.bias_gradient_of(out);
  if (db >= 0) return lowering.append_column_sums(op, from, y, to, size, db);
  lowering.append(op, [=](const Addresses& at) {
    return relu_backward(size.type, at(from), at(y), at(to), size.elements());
  });
}

namespace {

template <class Kind>
void lower_elementwise(Lowering& lowering, const nn::Op& op, const Kind& kind) {
  lower_by_rows(
      lowering, op, Kind::read_by_gradient(),
      [kind](auto... arguments) { return elementwise_forward(kind, arguments...); },
      [kind](auto... arguments) { return elementwise_backward(kind, arguments...); });
}

}  // namespace

#define MILLRACE_LOWER_ELEMENTWISE(Kind)                                    \
  void lower(Lowering& lowering, const nn::Op& op, const nn::Kind& layer) { \
    lower_elementwise(lowering, op, layer);                                 \
  }
MILLRACE_ELEMENTWISE_KINDS(MILLRACE_LOWER_ELEMENTWISE)

void lower(Lowering& lowering, const nn::Op& op, const nn::Softmax&) {
  const auto forward = [](Type type, const void* x, void* y, const Plane& plane) {
    return softmax_forward(type, type, x, y, plane);
  };
  lower_by_rows(lowering, op, nn::operand::y, forward, softmax_backward);
}

}  // namespace millrace::gpu
