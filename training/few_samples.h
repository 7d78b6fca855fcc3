#pragma once
// What to tell somebody who has few images.

#include <millrace/training/training_data.h>

#include <string>

namespace millrace {

/// For photographs in classes that a network learns from nothing, fewer than kFewSamples of them:
/// a line with the command that does better. Empty for all else: with weights, for tables, targets,
/// images without colour or so small that published networks make nothing of them, streams, and
/// batches that are replayed. Requires: resolve().
[[nodiscard]] std::string advice_for_few(const TrainSpec& spec, const TrainingData& data,
                                         const nn::Model& model);

inline constexpr std::uint32_t kFewSamples = 1000;

}  // namespace millrace
