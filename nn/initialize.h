#pragma once
// First values of parameters.

#include <millrace/nn/model.h>

#include <cstdint>
#include <span>

namespace millrace::nn {

/// Fills the parameter arena: kernels and biases by the layer's initializer, gamma 1, beta 0,
/// running mean 0, running variance 1, gaps 0. A function of (layers, seed) alone: each parameter
/// takes numbers of Random(seed, 0, layer * 8 + role, Purpose::initialise), so that freezing a
/// layer changes no other. Truncated normals resample outside two deviations, as Keras does.
/// Requires: the arena has arena_elements() elements.
void initialize(const Model& model, std::uint64_t seed, std::span<float> arena);

}  // namespace millrace::nn
