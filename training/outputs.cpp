#include <millrace/training/outputs.h>

#include <millrace/core/error.h>
#include <millrace/core/plural.h>
#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/target_metrics.h>
#include <millrace/training/find_model.h>

#include <algorithm>

namespace millrace {
namespace {

std::string quoted(const nn::Layer& layer) {
  return concat('\'', layer.name, '\'');
}

/// The layer that decides how many outputs there are.
const nn::Layer& widest_end(const nn::Model& model) {
  const auto found =
      std::find_if(model.layers.rbegin(), model.layers.rend(),
                   [](const nn::Layer& layer) { return layer.kind.facts().has_kernel; });
  return found == model.layers.rend() ? model.layers.back() : *found;
}

std::string softmax_of_one(const nn::Model& model, const std::vector<nn::LayerSummary>& layers) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (!model.layers[i].kind.is<nn::Softmax>() || layers[i].output[-1] != 1) continue;
    const bool is_last = i + 1 == layers.size();
    return concat("the softmax ", quoted(model.layers[i]),
                  " has one output, which is 1 for every sample; ",
                  is_last ? "for two classes end in a sigmoid, or in a softmax of two outputs"
                          : "leave it out");
  }
  return {};
}

/// Losses are computed from what the last softmax or sigmoid gets, if it is the last layer.
std::string hidden_end(const nn::Model& model) {
  const auto end =
      std::find_if(model.layers.rbegin(), model.layers.rend(), [](const nn::Layer& layer) {
        return !layer.kind.is<nn::Flatten>() && !layer.kind->is_identity(false);
      });
  const bool hides = end != model.layers.rbegin() && end != model.layers.rend() &&
                     (end->kind.is<nn::Softmax>() || end->kind.is<nn::Sigmoid>());
  if (!hides) return {};
  return concat("the layer ", quoted(model.layers.back()), " after the ", nn::kind_name(end->kind),
                ' ', quoted(*end), " would have the loss take probabilities for logits; make ",
                quoted(*end), " the last layer");
}

std::string other_outputs(const nn::Model& model, const std::string& of_data) {
  const std::int64_t outputs = output_width(model);
  return concat("the model has ", outputs, ' ', plural(outputs, "output"), ", the data ", of_data,
                "; it is the layer ", quoted(widest_end(model)), " that gives them");
}

}  // namespace

std::string list_of_names(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 8;
  std::string text = names.empty() ? "none" : "";
  for (std::size_t i = 0; i < std::min(names.size(), kMost); ++i) {
    text += concat(i == 0 ? "" : ", ", names[i]);
  }
  return text + (names.size() > kMost ? ", ..." : "");
}

std::string outputs_problem(const nn::Model& model) {
  const std::vector<nn::LayerSummary> layers = nn::summarize(model);
  if (layers.empty()) return "the model has no layers";
  if (std::string problem = softmax_of_one(model, layers); !problem.empty()) return problem;
  if (std::string problem = hidden_end(model); !problem.empty()) return problem;
  const nn::Layer& last = model.layers.back();
  if (!model.targets.empty()) {
    if (!last.kind.is<nn::Softmax>()) return {};
    return concat("the softmax ", quoted(last), " gives shares of one whole, as of classes; end ",
                  "the model in a dense layer for targets that are numbers, in a sigmoid for ",
                  "labels");
  }
  const Shape& output = layers.back().output;
  const bool is_as_large = model.input.rank() == 3 && output.elements() == model.input.elements();
  if (is_as_large && model.classes.empty() && !last.kind.is<nn::Softmax>()) {
    return concat("the layer ", quoted(last), " gives ", output.elements(),
                  " numbers, as many as the input ", model.input,
                  " has: an image, as of an autoencoder, and not classes; such a model is for "
                  "'train --class-mode input'");
  }
  if (last.kind.is<nn::Sigmoid>() && output.elements() > 1) {
    return concat("the sigmoid ", quoted(last), " has ", output.elements(),
                  " outputs, and several sigmoid outputs need several labels a sample; end the "
                  "model in softmax");
  }
  if (output.elements() != output[-1]) {
    return concat("the layer ", quoted(last), " gives ", output,
                  ", an image and not classes; add flatten or global_avg_pool after it");
  }
  return {};
}

std::string outputs_problem(const nn::Model& model, std::int64_t classes) {
  const std::int64_t outputs = output_width(model);
  if (outputs == classes || (classes == 2 && outputs == 1)) return {};
  return other_outputs(model, concat(classes, ' ', plural(classes, "class", "classes")));
}

std::string outputs_problem(const nn::Model& model, const std::vector<std::string>& targets) {
  if (output_width(model) == static_cast<std::int64_t>(targets.size())) return {};
  return other_outputs(model, concat(targets.size(), ' ', plural(targets.size(), "target"), ": ",
                                     list_of_names(targets)));
}

void check_labels(const nn::Model& model, const Dataset& dataset, const std::string& where) {
  if (!nn::gives_labels(model)) return;
  const std::vector<TargetRange> ranges = target_ranges(dataset);
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].least >= 0 && ranges[i].greatest <= 1) continue;
    throw Error(
        concat(where, ": the target '", dataset.targets()[i], "' goes from ", ranges[i].least,
               " to ", ranges[i].greatest, ", and the sigmoid ", quoted(model.layers.back()),
               " gives numbers in 0..1, which suit labels; end the model in a dense layer"));
  }
}

void check_outputs(const nn::Model& model, const std::string& name) {
  const std::string problem = outputs_problem(model);
  if (!problem.empty()) throw Error(concat(name, ": ", problem));
}

void check_outputs(const nn::Model& model, const std::string& name, std::int64_t classes) {
  const auto told = static_cast<std::int64_t>(class_names(model).size());
  if (!model.classes.empty() || told >= classes) return;
  throw Error(concat(name, ": ", outputs_problem(model, classes)));
}

}  // namespace millrace
