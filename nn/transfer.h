#pragma once
// Transfer learning as changes of a model's description: another head, and layers that keep their
// weights. The graph then has no backward pass of a frozen prefix (graph.h). Weights are not
// touched here; training/pretrained.h loads them.

#include <millrace/nn/model.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::nn {

/// The layers that turn images into features: those before the first flatten, global_avg_pool or
/// layer named "classifier..." around which no branch leads; all of them where there is none.
[[nodiscard]] std::size_t base_layers(const Model& model);

/// The base of `model` with another head, "gap,dense:1024:relu,dense". Words: gap, flatten,
/// batch_norm, dropout:RATE, the name of an elementwise kind (relu, sigmoid, ...), dense:UNITS with
/// or without such a name after it (dense:64:relu), and dense at the end: the output, one sigmoid
/// for one output, else a softmax. Layers are named head.dense1, head.dense2, ... Classes and
/// targets are dropped, preprocessing is kept. Throws UsageError naming the word.
[[nodiscard]] Model with_head(const Model& model, std::string_view head, std::int64_t outputs,
                              Initializer initializer = Initializer::glorot_uniform);

/// Whether a layer's name begins with `prefix`. One that ends in a digit ends a number:
/// "features.1" is the beginning of "features.1" but not of "features.10".
[[nodiscard]] bool has_prefix(std::string_view name, std::string_view prefix) noexcept;

/// Whether a kind's layers draw at random in training unless they are frozen: dropout, stochastic
/// depth.
[[nodiscard]] bool draws(const LayerKind& kind);

/// Freezes all layers whose names begin with one of the prefixes, "features.0,features.2". Gives
/// the number of those with parameters. Throws UsageError for a prefix that no layer has that has
/// parameters or draws at random.
std::size_t freeze(Model& model, std::string_view prefixes);

}  // namespace millrace::nn
