#include <millrace/cpu/lower/folded_norm.h>

#include <millrace/cpu/kernels/batch_norm.h>

#include <algorithm>
#include <vector>

namespace millrace::cpu {
namespace {

bool has_derivatives(const nn::Graph& graph, const nn::Op& op) {
  return std::ranges::any_of(graph.ops, [&](const nn::Op& other) {
    return other.layer == op.layer && other.pass != nn::Pass::forward;
  });
}

}  // namespace

const nn::Op* foldable_norm(const Lowering& lowering, const nn::Op& convolution) {
  const nn::Graph& graph = lowering.graph();
  const nn::Op* const norm = lowering.uses().only_reader(convolution.y());
  const bool is_given = norm != nullptr && graph.kind<nn::BatchNorm>(*norm) != nullptr &&
                        norm->saved(nn::BatchNorm::kMean) < 0;
  const bool folds = is_given && lowering.options().folds_norms &&
                     !has_derivatives(graph, convolution) && !has_derivatives(graph, *norm);
  return folds ? norm : nullptr;
}

FoldedNorm fold(Lowering& lowering, const nn::Op& convolution, const nn::Op& norm,
                const Layout& wanted) {
  const nn::BatchNorm& options = *lowering.graph().kind<nn::BatchNorm>(norm);
  const SlotId kernel =
      lowering.parameter_as_it_lies(convolution.parameter(nn::Role::kernel), wanted);
  const FoldedNorm folded{lowering.prepared(wanted),
                          lowering.prepared(plain_layout(Shape{lowering.shape(norm.y())[-1]}))};
  // As the kernel lies, in one pass. Else by way of the logical order, which any layout has.
  const auto blocks = lowering.layout(kernel) == wanted ? output_blocks(wanted) : std::nullopt;
  const Layout plain = onednn::row_major(onednn::dims(wanted));
  lowering.prepare([&] {
    const bool converts = !blocks && lowering.layout(kernel) != plain;
    const SlotId from = converts ? lowering.temporary(plain) : kernel;
    const SlotId to = blocks || wanted == plain ? folded.kernel : lowering.temporary(plain);
    lowering.store(kernel, from);
    std::vector<SlotId> uses{from,
                             to,
                             folded.bias,
                             lowering.plain_parameter(norm, nn::Role::running_mean),
                             lowering.plain_parameter(norm, nn::Role::running_variance),
                             lowering.plain_parameter(norm, nn::Role::gamma),
                             lowering.plain_parameter(norm, nn::Role::beta)};
    const bool has_bias = convolution.parameter(nn::Role::bias) >= 0;
    if (has_bias) uses.push_back(lowering.plain_parameter(convolution, nn::Role::bias));
    lowering.append(lowering.step_name(norm, "fold"), "fold", uses,
                    [options, has_bias, shape = blocks ? *blocks : output_blocks(plain).value()](
                        Memory memory, Run&) {
                      const auto at = [&](std::size_t i) { return floats(memory, i); };
                      const NormParameters given{at(3), at(4), at(5), at(6)};
                      fold(options, given, shape, at(0), has_bias ? at(7) : nullptr, at(1), at(2));
                    });
    lowering.store(to, folded.kernel);
  });
  return folded;
}

}  // namespace millrace::cpu
