#pragma once
// What is more than a step and its update, on two engines of which one is the float64 reference:
// groups of batches that one update takes, and averages of the weights.

#include "engines/compare.h"

namespace millrace::test {

/// Accumulates groups of batches, the second one shorter, on both engines: results and parameters,
/// and on the tested engine that of one batch of all samples of a group.
void check_groups(const nn::Engine& tested, const nn::Engine& reference, const nn::Model& model,
                  nn::CompileOptions options, Nearness nearness = {});

/// Averages of the weights after steps with masks, and after groups of batches; that they evaluate,
/// predict and are read within an AverageScope, and that all is as before behind it, to the bit.
void check_averages(const nn::Engine& tested, const nn::Engine& reference, const nn::Model& model,
                    nn::CompileOptions options, Nearness nearness = {});

}  // namespace millrace::test
