#pragma once
// The second half of build_graph(): from a forward pass and its loss to the backward pass.

#include <millrace/nn/graph.h>

#include <vector>

namespace millrace::nn {

/// Adds a value and returns its id.
ValueId add_value(Graph& graph, Value value);

/// By layer: whether its output depends on a trainable parameter, so that the output's gradient is
/// needed.
[[nodiscard]] std::vector<bool> layers_fed_by_training(const Graph& graph);

/// Appends the operations that carry the gradient of the loss, the last operation, back to every
/// trainable parameter, and no further.
void append_backward(Graph& graph);

}  // namespace millrace::nn
