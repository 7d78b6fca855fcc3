#include <millrace/cpu/division.h>

#include <millrace/nn/layers/batch_norm.h>

#include <algorithm>

namespace millrace::cpu {
namespace {

std::int64_t blocks_of(std::int64_t outputs) {
  return (outputs + kOutputBlock - 1) / kOutputBlock;
}

/// Whether going through the weights costs more than exchanging what goes in and out: there is less
/// of that than of the weights even if it is counted half, for half of it is where it is needed.
bool is_mostly_weights(const nn::Parameter& kernel, std::int64_t batch) {
  const std::int64_t outputs = kernel.shape[0];
  const std::int64_t inputs = kernel.shape[1];
  return 2 * outputs * inputs > batch * (outputs + inputs);
}

/// Whether a layer of a kind that is not the library's wants the rows of a batch together. Batch
/// norm lets slices meet.
bool mixes_rows_by_itself(const nn::Model& model) {
  return std::ranges::any_of(model.layers, [](const nn::Layer& layer) {
    return layer.kind.facts().mixes_rows && !layer.kind.is<nn::BatchNorm>();
  });
}

}  // namespace

Division divide(const nn::Model& model, const nn::CompileOptions& options, int threads,
                Sharing sharing) {
  constexpr std::int64_t kMostElements = std::int64_t{64} << 20;  // 256 MiB of gradients
  if (sharing == Sharing::together || mixes_rows_by_itself(model)) return {};
  Division division{.slices = std::min<std::int64_t>(threads, options.batch)};
  if (division.slices == 1 || !options.training) return division;

  division.by_outputs.resize(model.layers.size());
  std::int64_t by_samples = 0;  // elements of gradients that each slice has
  for (const nn::Parameter& parameter : nn::parameters(model)) {
    if (!parameter.trainable) continue;
    const auto layer = static_cast<std::size_t>(parameter.layer);
    const bool is_kernel =
        parameter.role == nn::Role::kernel && parameter.shape.rank() == 2;  // a dense layer's
    if (is_kernel && blocks_of(parameter.shape[0]) >= division.slices &&
        is_mostly_weights(parameter, options.batch)) {
      division.by_outputs[layer] = true;
    }
    if (!division.by_outputs[layer]) by_samples += parameter.shape.elements();
  }
  if ((division.slices - 1) * by_samples > kMostElements) return {};
  return division;
}

Outputs outputs_of(std::int64_t outputs, std::int64_t slice, std::int64_t slices) {
  const auto start = [&](std::int64_t i) {
    return std::min(outputs, blocks_of(outputs) * i / slices * kOutputBlock);
  };
  return {start(slice), start(slice + 1) - start(slice)};
}

}  // namespace millrace::cpu
