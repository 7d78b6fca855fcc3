#pragma once
// What cuDNN is asked for, from an operation of a model's graph.

#include <millrace/gpu/operations.h>
#include <millrace/nn/graph.h>
#include <millrace/nn/precision.h>

namespace millrace::gpu {

/// The pass of a convolution that `op` is, with stored channels and filters, without bias and ReLU,
/// which the lowering adds where there is such a plan. Requires: the layer is a Conv2D.
[[nodiscard]] Convolution convolution_of(const nn::Graph& graph, const nn::Op& op,
                                         nn::Precision precision);

}  // namespace millrace::gpu
