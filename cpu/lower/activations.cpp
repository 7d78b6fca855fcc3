// Activations: functions of elements one by one, and softmax.

#include <millrace/cpu/kernels/elementwise.h>
#include <millrace/cpu/lower/lowering.h>

#include <optional>
#include <utility>

namespace millrace::cpu {
namespace {

using onednn::Found;
using onednn::Kernel;

// What oneDNN has exactly so, and generates vector code for. Loops of our own do the other kinds.
template <class Kind>
constexpr std::optional<onednn::Eltwise> eltwise_of(const Kind&) {
  return std::nullopt;
}

constexpr std::optional<onednn::Eltwise> eltwise_of(const nn::Sigmoid&) {
  return onednn::Eltwise{dnnl::algorithm::eltwise_logistic_use_dst_for_bwd};
}

constexpr std::optional<onednn::Eltwise> eltwise_of(const nn::Tanh&) {
  return onednn::Eltwise{dnnl::algorithm::eltwise_tanh_use_dst_for_bwd};
}

constexpr std::optional<onednn::Eltwise> eltwise_of(const nn::Silu&) {
  return onednn::Eltwise{dnnl::algorithm::eltwise_swish, 1.0F};
}

constexpr std::optional<onednn::Eltwise> eltwise_of(const nn::Gelu&) {
  return onednn::Eltwise{dnnl::algorithm::eltwise_gelu_erf};
}

/// The layout of a value, then the logical order, which no padding makes difficult.
std::vector<Layout> layouts(const Lowering& lowering, nn::ValueId id) {
  const Layout here = lowering.layout(lowering.slot_of(id));
  return {here, plain_layout(here)};
}

/// `data`: what the backward pass reads beside dy.
void append_backward(Lowering& lowering, const nn::Op& op, const Kernel& kernel,
                     const nn::Operand& data) {
  const int argument = data == nn::operand::y ? DNNL_ARG_DST : DNNL_ARG_SRC;
  const SlotId dy = lowering.in_layout(op.dy(), kernel.at(DNNL_ARG_DIFF_DST));
  const SlotId read = lowering.in_layout(op.at(data), kernel.at(argument));
  const SlotId dx = lowering.make_in_place(op.dx(), dy);
  lowering.append(lowering.step_name(op), kernel,
                  {{DNNL_ARG_DIFF_DST, dy}, {argument, read}, {DNNL_ARG_DIFF_SRC, dx}});
}

void lower_by_onednn(Lowering& lowering, const nn::Op& op, const onednn::Eltwise& function,
                     const nn::Operand& data) {
  const bool is_forward = op.pass == nn::Pass::forward;
  std::vector<Found> found;
  for (const Layout& layout : layouts(lowering, is_forward ? op.x() : op.at(data))) {
    const auto find = is_forward ? onednn::eltwise_forward : onednn::eltwise_backward;
    found.push_back(find(lowering.engine(), function, layout));
  }
  const Kernel kernel = lowering.choose(op, found);
  if (!is_forward) return append_backward(lowering, op, kernel, data);
  const SlotId x = lowering.in_layout(op.x(), kernel.at(DNNL_ARG_SRC));
  const SlotId y = lowering.make_in_place(op.y(), x);
  lowering.append(lowering.step_name(op), kernel, {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}});
}

/// The layout of a value, unless it pads channels and `function` would not leave them zero.
template <class Kind>
Layout layout_for(const Lowering& lowering, nn::ValueId id, const Kind& function) {
  const Layout here = lowering.layout(lowering.slot_of(id));
  const auto blocks = channel_blocks(here);
  const bool fits =
      blocks && (blocks->channels % blocks->block == 0 || function.value(0.0F) == 0.0F);
  return fits ? here : plain_layout(here);
}

template <class Kind>
void lower_by_loops(Lowering& lowering, const nn::Op& op, const Kind& function) {
  const bool is_forward = op.pass == nn::Pass::forward;
  const nn::ValueId data = is_forward ? op.x() : op.at(Kind::read_by_gradient());
  const Layout layout = layout_for(lowering, data, function);
  const auto count = static_cast<std::int64_t>(layout.get_size() / sizeof(float));
  const SlotId read = lowering.in_layout(data, layout);
  const auto floats = [](std::byte* memory) { return reinterpret_cast<float*>(memory); };
  if (is_forward) {
    return lowering.append(
        lowering.step_name(op), Kind::kFacts.name, {read, lowering.make_in_place(op.y(), read)},
        [=](std::span<std::byte* const> memory, Run&) {
          elementwise_forward(function, count, floats(memory[0]), floats(memory[1]));
        });
  }
  const SlotId dy = lowering.in_layout(op.dy(), layout);
  lowering.append(lowering.step_name(op), Kind::kFacts.name,
                  {dy, read, lowering.make_in_place(op.dx(), dy)},
                  [=](std::span<std::byte* const> memory, Run&) {
                    elementwise_backward(function, count, floats(memory[0]), floats(memory[1]),
                                         floats(memory[2]));
                  });
}

template <class Kind>
void lower_elementwise(Lowering& lowering, const nn::Op& op, const Kind& layer) {
  const auto known = eltwise_of(layer);
  known ? lower_by_onednn(lowering, op, *known, Kind::read_by_gradient())
        : lower_by_loops(lowering, op, layer);
}

}  // namespace

void lower(Lowering& lowering, const nn::Op& op, const nn::Relu&) {
  lower_by_onednn(lowering, op, {dnnl::algorithm::eltwise_relu_use_dst_for_bwd}, nn::operand::y);
}

#define MILLRACE_LOWER_ELEMENTWISE(Kind)                                    \
  void lower(Lowering& lowering, const nn::Op& op, const nn::Kind& layer) { \
    lower_elementwise(lowering, op, layer);                                 \
  }
MILLRACE_ELEMENTWISE_KINDS(MILLRACE_LOWER_ELEMENTWISE)

void lower(Lowering& lowering, const nn::Op& op, const nn::Softmax&) {
  const Layout plain = plain_layout(lowering.shape(op.result()));
  if (op.pass != nn::Pass::forward) {
    const Found found = onednn::softmax_backward(lowering.engine(), plain);
    return append_backward(lowering, op, lowering.choose(op, {found}), nn::operand::y);
  }
  const Kernel kernel = lowering.choose(op, {onednn::softmax_forward(lowering.engine(), plain)});
  lowering.append(op, {.kernel = kernel}, {{DNNL_ARG_SRC, op.x()}, {DNNL_ARG_DST, op.y()}});
}

}  // namespace millrace::cpu
