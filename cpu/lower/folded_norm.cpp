#include <millrace/cpu/lower/folded_norm.h>

#include <millrace/cpu/kernels/batch_norm.h>

#include <algorithm>

namespace millrace::cpu {
namespace {

bool has_derivatives(const nn::Graph& graph, const nn::Op& op) {
  return std::ranges::any_of(graph.ops, [&](const nn::Op& other) {
    return other.layer == op.layer && other.pass != nn::Pass::forward;
  });
}

SlotId channels_of(Lowering& lowering, const nn::Op& op, nn::Role role) {
  const nn::ValueId id = op.parameter(role);
  return lowering.parameter(id, plain_layout(lowering.shape(id)));
}

}  // namespace

const nn::Op* foldable_norm(const Lowering& lowering, const nn::Op& convolution) {
  const nn::Graph& graph = lowering.graph();
  const nn::Op* const norm = lowering.uses().only_reader(convolution.y());
  const bool is_given = norm != nullptr && graph.kind<nn::BatchNorm>(*norm) != nullptr &&
                        norm->saved(nn::BatchNorm::kMean) < 0;
  if (!is_given || has_derivatives(graph, convolution) || has_derivatives(graph, *norm)) {
    return nullptr;
  }
  return norm;
}

FoldedNorm fold(Lowering& lowering, const nn::Op& convolution, const nn::Op& norm,
                const Layout& wanted) {
  const nn::ValueId kernel = convolution.parameter(nn::Role::kernel);
  const nn::ValueId bias = convolution.parameter(nn::Role::bias);
  const nn::BatchNorm& options = *lowering.graph().kind<nn::BatchNorm>(norm);
  const Layout rows = onednn::row_major(onednn::dims(wanted));  // one an output channel
  const Layout channels = plain_layout(Shape{lowering.shape(norm.y())[-1]});
  const FoldedNorm folded{lowering.prepared(wanted), lowering.prepared(channels)};
  const SlotId from = lowering.parameter_as_it_lies(kernel, wanted);
  std::vector<SlotId> uses{kNoSlot,
                           channels_of(lowering, norm, nn::Role::running_mean),
                           channels_of(lowering, norm, nn::Role::running_variance),
                           channels_of(lowering, norm, nn::Role::gamma),
                           channels_of(lowering, norm, nn::Role::beta),
                           kNoSlot,
                           folded.bias};
  if (bias >= 0) uses.push_back(channels_of(lowering, convolution, nn::Role::bias));
  lowering.prepare([&] {
    uses[0] = lowering.layout(from) == rows ? from : lowering.temporary(rows);
    lowering.store(from, uses[0]);
    uses[5] = wanted == rows ? folded.kernel : lowering.temporary(rows);
    const std::int64_t count = onednn::dims(channels)[0];
    const std::int64_t row = static_cast<std::int64_t>(rows.get_size() / sizeof(float)) / count;
    lowering.append(lowering.step_name(norm, "fold"), "fold", uses,
                    [options, count, row](Memory memory, Run&) {
                      const auto at = [&](std::size_t i) { return floats(memory, i); };
                      const NormParameters given{at(1), at(2), at(3), at(4)};
                      fold(options, count, given, row, at(0), memory.size() > 7 ? at(7) : nullptr,
                           at(5), at(6));
                    });
    lowering.store(uses[5], folded.kernel);
  });
  return folded;
}

}  // namespace millrace::cpu
