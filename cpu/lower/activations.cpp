// Activations: functions of elements one by one that oneDNN has, and softmax.

#include <millrace/cpu/lower/lowering.h>

#include <utility>

namespace millrace::cpu {
namespace {

using onednn::Found;
using onednn::Kernel;

constexpr dnnl::algorithm algorithm_of(const nn::Sigmoid&) {
  return dnnl::algorithm::eltwise_logistic_use_dst_for_bwd;
}

constexpr dnnl::algorithm algorithm_of(const nn::Tanh&) {
  return dnnl::algorithm::eltwise_tanh_use_dst_for_bwd;
}

/// The layout of a value, then the logical order, which no padding makes difficult.
std::vector<Layout> layouts(const Lowering& lowering, nn::ValueId id) {
  const Layout here = lowering.layout(lowering.slot_of(id));
  return {here, plain_layout(here)};
}

void append_backward(Lowering& lowering, const nn::Op& op, const Kernel& kernel) {
  const SlotId dy = lowering.in_layout(op.dy(), kernel.at(DNNL_ARG_DIFF_DST));
  const SlotId y = lowering.in_layout(op.at(nn::operand::y), kernel.at(DNNL_ARG_DST));
  const SlotId dx = lowering.make_in_place(op.dx(), dy);
  lowering.append(lowering.step_name(op), kernel,
                  {{DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_DST, y}, {DNNL_ARG_DIFF_SRC, dx}});
}

void lower_elementwise(Lowering& lowering, const nn::Op& op, dnnl::algorithm algorithm) {
  const bool is_forward = op.pass == nn::Pass::forward;
  std::vector<Found> found;
  for (const Layout& layout : layouts(lowering, is_forward ? op.x() : op.at(nn::operand::y))) {
    const auto find = is_forward ? onednn::eltwise_forward : onednn::eltwise_backward;
    found.push_back(find(lowering.engine(), algorithm, layout));
  }
  const Kernel kernel = lowering.choose(op, found);
  if (!is_forward) return append_backward(lowering, op, kernel);
  const SlotId x = lowering.in_layout(op.x(), kernel.at(DNNL_ARG_SRC));
  const SlotId y = lowering.make_in_place(op.y(), x);
  lowering.append(lowering.step_name(op), kernel, {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}});
}

}  // namespace

void lower(Lowering& lowering, const nn::Op& op, const nn::Relu&) {
  lower_elementwise(lowering, op, dnnl::algorithm::eltwise_relu_use_dst_for_bwd);
}

#define MILLRACE_LOWER_ELEMENTWISE(Kind)                                    \
  void lower(Lowering& lowering, const nn::Op& op, const nn::Kind& layer) { \
    lower_elementwise(lowering, op, algorithm_of(layer));                   \
  }
MILLRACE_ELEMENTWISE_KINDS(MILLRACE_LOWER_ELEMENTWISE)

void lower(Lowering& lowering, const nn::Op& op, const nn::Softmax&) {
  const Layout plain = plain_layout(lowering.shape(op.result()));
  if (op.pass != nn::Pass::forward) {
    const Found found = onednn::softmax_backward(lowering.engine(), plain);
    return append_backward(lowering, op, lowering.choose(op, {found}));
  }
  const Kernel kernel = lowering.choose(op, {onednn::softmax_forward(lowering.engine(), plain)});
  lowering.append(op, {.kernel = kernel}, {{DNNL_ARG_SRC, op.x()}, {DNNL_ARG_DST, op.y()}});
}

}  // namespace millrace::cpu
