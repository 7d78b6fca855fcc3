#pragma once
// The loops of the update, compiled for every instruction set and chosen at run time. Pieces of
// arenas may be given to different threads; all spans of a call are equally long, and any length
// will do.

#include <millrace/nn/optimizer.h>

#include <span>

namespace millrace::cpu {

/// nn::update of a step with these constants; states that the optimizer does not keep are empty.
void update_weights(const nn::OptimizerOptions& optimizer, const nn::UpdateConstants& constants,
                    std::span<float> weights, std::span<const float> gradients,
                    std::span<const std::span<float>, nn::kMostStates> states);

/// sum += other.
void add(std::span<float> sum, std::span<const float> other);

/// The averages take the new weights; `share` is 1 - momentum.
void take_averages(std::span<float> averages, std::span<const float> weights, float share);

/// values *= masks; what a zero makes zero is +0, never -0, so that files of pruned weights
/// compress.
void apply_masks(std::span<float> values, std::span<const float> masks);

}  // namespace millrace::cpu
