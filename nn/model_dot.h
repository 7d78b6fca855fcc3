#pragma once
// A model as a drawing of its graph.

#include <millrace/nn/model.h>

#include <string>

namespace millrace::nn {

/// The layers, with kinds, options and output shapes, and what flows between them, in Graphviz's
/// language: "dot -Tsvg" draws it. Throws as infer_shapes().
[[nodiscard]] std::string to_dot(const Model& model);

}  // namespace millrace::nn
