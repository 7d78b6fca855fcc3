#pragma once
// The update of weights by gradients, in float64.

#include <millrace/nn/reference/graph.h>

#include <cstdint>
#include <span>

namespace millrace::nn::reference {

[[nodiscard]] bool are_finite(std::span<const double> values);

/// The part of L2 in the loss of one sample.
[[nodiscard]] double penalty(const Arenas& arenas, std::span<const Parameter> parameters,
                             const GradientOptions& options);
/// Adds its derivative to the gradients.
void penalise(Arenas& arenas, std::span<const Parameter> parameters,
              const GradientOptions& options);
void clip(Arenas& arenas, std::span<const Parameter> parameters, const GradientOptions& options);

/// nn::update() of the trainable parameters, which are as many as the gradients.
void update(Arenas& arenas, const OptimizerOptions& options, double learning_rate, std::int64_t t);
/// Ones wherever there is a weight.
void clear_masks(Arenas& arenas, std::span<const Parameter> parameters);
/// To the average too.
void apply_masks(Arenas& arenas);
/// Takes the new weights into their average, where there is one.
void take_average(Arenas& arenas, double momentum);

}  // namespace millrace::nn::reference
