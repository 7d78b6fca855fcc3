#pragma once
// The second half of build_graph: the operations that carry the gradient of the loss back to every
// trainable parameter, and no further.

#include <millrace/nn/graph.h>

namespace millrace::nn::detail {

/// Adds a value and returns its id.
ValueId add_value(Graph& graph, Value value);

/// The first layer that has something to train; model.layers.size() if none has. Layers before it
/// get no backward operation.
[[nodiscard]] int first_trainable_layer(const Graph& graph);

/// Appends the backward operations of a training graph whose forward operations and loss are there.
void append_backward(Graph& graph, ValueId dlogits);

}  // namespace millrace::nn::detail
