#pragma once
// Whether a model's outputs can be classes: outputs that a loss would accept but that make no sense
// are refused before a run, by the name of the layer.

#include <millrace/nn/model.h>

#include <cstdint>
#include <string>

namespace millrace {

/// What keeps the outputs from being the classes of a sample, with what to do; empty if nothing
/// does. A softmax of one output, a softmax or sigmoid that is not the end, several sigmoids, an
/// image: of an autoencoder, or of a convolution that nothing flattens.
[[nodiscard]] std::string outputs_problem(const nn::Model& model);

/// The same for data of this many classes: the model must have an output for each, or one for two.
[[nodiscard]] std::string outputs_problem(const nn::Model& model, std::int64_t classes);

/// Throws Error, naming the model that a command loaded, for the first of these; with `classes` for
/// data of more classes than a model without names can have.
void check_outputs(const nn::Model& model, const std::string& name);
void check_outputs(const nn::Model& model, const std::string& name, std::int64_t classes);

}  // namespace millrace
