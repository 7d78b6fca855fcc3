#pragma once
// What cuDNN is asked for, from an operation of a model's graph.

#include <millrace/gpu/convolution.h>
#include <millrace/nn/graph.h>

namespace millrace::gpu {

/// How many channels of an image are stored for so many that count: tensor cores want a multiple of
/// 8 in 16 bits, of 4 in 32.
[[nodiscard]] std::int64_t stored_channels(std::int64_t channels, nn::Precision precision) noexcept;

/// The pass of a conv2d that `op` is, with stored channels and filters. Forward: `bias` if the
/// layer has one, `relu` if a ReLU is all that reads the result; who has no such plan clears both
/// and launches them apart. Requires: op.kind is conv2d.
[[nodiscard]] Convolution convolution_of(const nn::Graph& graph, const nn::Op& op,
                                         nn::Precision precision);

}  // namespace millrace::gpu
