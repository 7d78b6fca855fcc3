// Kinds of layers that this engine does not know: their own loops, on a slice's rows in the logical
// order.

#include <millrace/core/error.h>
#include <millrace/cpu/lower/lowering.h>
#include <millrace/nn/reference/call.h>

#include <algorithm>

namespace millrace::cpu {
namespace {

using nn::Operand;

/// An operand of the kind's loops, in the order of the step's memory.
struct Bound {
  Operand operand;
  std::int64_t row = 0;  ///< elements of a sample; of all where `is_of_batch`
  bool is_of_batch = false;
  bool is_made = false;
};

/// Fills in a call's memory for the slice's rows, runs the loops, and makes zeros of the rows
/// behind.
class Loops {
 public:
  Loops(nn::LayerKind kind, nn::reference::FloatCall call, std::vector<Bound> operands,
        std::int64_t rows, bool is_forward)
      : kind_(std::move(kind)),
        call_(std::move(call)),
        operands_(std::move(operands)),
        rows_(rows),
        is_forward_(is_forward) {
    for (const Bound& bound : operands_) call_.operands.push_back({bound.operand, {}});
  }

  void operator()(std::span<std::byte* const> memory, Run& run) {
    call_.samples = run.batch->samples;
    call_.pass = run.batch->pass;
    call_.positions = run.batch->positions;
    for (std::size_t i = 0; i < operands_.size(); ++i) {
      const Bound& bound = operands_[i];
      const std::int64_t valid = bound.row * (bound.is_of_batch ? 1 : call_.samples);
      const std::int64_t all = bound.row * (bound.is_of_batch ? 1 : rows_);
      auto* const first = reinterpret_cast<float*>(memory[i]);
      call_.operands[i].values = {first, static_cast<std::size_t>(valid)};
      if (bound.is_made) std::fill(first + valid, first + all, 0.0F);
    }
    if (call_.samples == 0) return clear_gradients();
    is_forward_ ? kind_->forward(call_) : kind_->backward(call_);
  }

 private:
  void clear_gradients() const {
    for (std::size_t i = 0; i < operands_.size(); ++i) {
      if (operands_[i].operand.of != Operand::Of::gradient) continue;
      std::ranges::fill(call_.operands[i].values, 0.0F);
    }
  }

  nn::LayerKind kind_;
  nn::reference::FloatCall call_;
  std::vector<Bound> operands_;
  std::int64_t rows_;
  bool is_forward_;
};

/// Where an operand lies; what the operation makes comes by store() afterwards.
SlotId slot_of(Lowering& lowering, const nn::Argument& argument, bool is_made) {
  const nn::Graph& graph = lowering.graph();
  const nn::Value& value = graph.value(argument.value);
  if (value.role == nn::ValueRole::saved) {  // nobody else's
    const Layout row = onednn::layout({value.shape.elements()}, onednn::Tag::a);
    return is_made ? lowering.make(argument.value, row) : lowering.slot_of(argument.value);
  }
  const Layout plain =
      value.parameter >= 0
          ? plain_layout(graph.parameters[static_cast<std::size_t>(value.parameter)])
          : plain_layout(value.shape);
  if (value.role == nn::ValueRole::parameter) return lowering.parameter(argument.value, plain);
  if (value.role == nn::ValueRole::parameter_gradient) {
    return lowering.gradient(argument.value, plain);
  }
  return is_made ? lowering.make(argument.value, plain) : lowering.in_layout(argument.value, plain);
}

}  // namespace

void lower_foreign(Lowering& lowering, const nn::Op& op) {
  const nn::Graph& graph = lowering.graph();
  const nn::LayerKind& kind = graph.layer(op).kind;
  if (!kind->has_float_loops()) {
    throw Error(concat("cpu: this engine cannot do '", lowering.step_name(op), "': the kind '",
                       nn::kind_name(kind), "' has no loops for float32"));
  }
  const nn::Op& forward = graph.forward_of(op);
  nn::reference::FloatCall call{.seed = lowering.options().seed, .layer = op.layer};
  for (int i = 0; forward.x(i) >= 0; ++i) {
    call.inputs.push_back(lowering.shape(forward.x(i)).without_front());
  }
  call.output = lowering.shape(forward.y()).without_front();

  std::vector<SlotId> uses;
  std::vector<Bound> operands;
  std::vector<std::pair<SlotId, SlotId>> stored;
  for (const bool is_made : {false, true}) {
    for (const nn::Argument& argument : is_made ? op.outputs : op.inputs) {
      const nn::Value& value = graph.value(argument.value);
      const bool is_of_batch = value.parameter >= 0 || !value.has_rows;
      const Shape row = is_of_batch ? value.shape : value.shape.without_front();
      uses.push_back(slot_of(lowering, argument, is_made));
      operands.push_back({argument.operand, row.elements(), is_of_batch, is_made});
      if (value.role == nn::ValueRole::parameter_gradient) {
        stored.emplace_back(uses.back(), lowering.slot_of(argument.value));
      }
    }
  }
  lowering.append(
      lowering.step_name(op), nn::kind_name(kind), uses,
      Loops(kind, std::move(call), std::move(operands), graph.batch, op.pass == nn::Pass::forward));
  for (const auto& [written, to] : stored) lowering.store(written, to);
}

}  // namespace millrace::cpu
