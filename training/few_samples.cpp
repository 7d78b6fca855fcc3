#include <millrace/training/few_samples.h>

#include <millrace/core/error.h>
#include <millrace/core/number_text.h>
#include <millrace/core/shell_text.h>
#include <millrace/io/generated.h>

#include <algorithm>

namespace millrace {
namespace {

constexpr std::int64_t kSmallestPhotograph = 64;  // pixels high and wide

bool is_of_photographs(const nn::Model& model) {
  const Shape& input = model.input;
  return input.rank() == 3 && input[2] == 3 && std::min(input[0], input[1]) >= kSmallestPhotograph;
}

}  // namespace

std::string advice_for_few(const TrainSpec& spec, const TrainingData& data,
                           const nn::Model& model) {
  const bool has_classes = model.targets.empty() && spec.labels.class_mode != ClassMode::input;
  const bool begins_anew = spec.model.weights.empty() && spec.data.replay == 0;
  const bool is_real = data.stream == nullptr && !is_generated(spec.data.path);
  const std::uint32_t samples = data.training.size();
  if (!has_classes || !begins_anew || !is_real || !is_of_photographs(model)) return {};
  if (samples >= kFewSamples) return {};
  return concat(with_commas(samples),
                " images are few to learn from alone; a network that has seen a million does "
                "better (docs/transfer-learning.md): 'scripts/fetch-weights efficientnet_lite0' "
                "once, then: millrace train ",
                shell_quoted(spec.data.path), " --recipe transfer.ini");
}

}  // namespace millrace
