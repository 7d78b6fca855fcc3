#pragma once
// Whether a model's outputs can be classes, or targets: what a loss would accept but makes no
// sense is refused before a run, by the name of the layer.

#include <millrace/io/dataset.h>
#include <millrace/nn/model.h>

#include <cstdint>
#include <string>
#include <vector>

namespace millrace {

/// What keeps the outputs from being the classes of a sample, with what to do; empty if nothing
/// does. A softmax of one output, a softmax or sigmoid that is not the end, several sigmoids, an
/// image: of an autoencoder, or of a convolution that nothing flattens. Of a model with targets: a
/// softmax, or a sigmoid that is not the end.
[[nodiscard]] std::string outputs_problem(const nn::Model& model);

/// The same for data of this many classes: the model must have an output for each, or one for two.
[[nodiscard]] std::string outputs_problem(const nn::Model& model, std::int64_t classes);
/// The same for data with these targets: there must be an output for each.
[[nodiscard]] std::string outputs_problem(const nn::Model& model,
                                          const std::vector<std::string>& targets);

/// Throws Error, naming the data, where the model ends in a sigmoid and a target is not in 0..1.
void check_labels(const nn::Model& model, const Dataset& dataset, const std::string& where);

/// "a, b, c", of many the first eight, or "none". For messages.
[[nodiscard]] std::string list_of_names(const std::vector<std::string>& names);

/// Throws Error, naming the model that a command loaded, for the first of these; with `classes` for
/// data of more classes than a model without names can have.
void check_outputs(const nn::Model& model, const std::string& name);
void check_outputs(const nn::Model& model, const std::string& name, std::int64_t classes);

}  // namespace millrace
