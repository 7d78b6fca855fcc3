// Shape inference: what each layer makes of its input, and the parameters that takes.

#include <millrace/core/buffer.h>
#include <millrace/core/error.h>
#include <millrace/nn/model.h>

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>
#include <utility>

namespace millrace::nn {
namespace {

// Libraries index with 32 bits; a model from an untrusted file cannot ask for more.
constexpr std::int64_t kMaxElements = std::numeric_limits<std::int32_t>::max();
constexpr std::uint64_t kAlignment = 16;  // elements of 4 bytes: one cache line

void check_input(const Shape& input) {
  const bool is_known = input.rank() == 1 || input.rank() == 3;
  double elements = is_known ? 1 : 0;
  for (const std::int64_t extent : input.extents()) {
    elements *= extent > 0 ? static_cast<double>(extent) : 0;
  }
  if (elements < 1) {
    throw Error(concat(
        "input: expected [height, width, channels] or [features], all positive, not ", input));
  }
  if (elements > static_cast<double>(kMaxElements)) {
    throw Error(concat("input: more than 2^31 - 1 elements in a sample of ", input));
  }
}

bool is_trainable(const Layer& layer, Role role) {
  return layer.trainable && !is_statistic(role);
}

std::int64_t aligned(std::int64_t elements) {
  return static_cast<std::int64_t>(round_up(static_cast<std::uint64_t>(elements), kAlignment));
}

std::int64_t end_of(const Parameter& parameter) {
  return aligned(parameter.offset + parameter.shape.elements());
}

std::vector<Shape> shapes_of(const Model& model, const std::vector<int>& inputs,
                             const std::vector<LayerShape>& layers) {
  std::vector<Shape> result;
  for (const int input : inputs) {
    result.push_back(input < 0 ? model.input : layers[static_cast<std::size_t>(input)].output);
  }
  return result;
}

}  // namespace

std::vector<std::vector<int>> input_layers(const Model& model) {
  std::map<std::string_view, int> places;
  std::vector<std::vector<int>> result;
  for (const Layer& layer : model.layers) {
    const auto here = static_cast<int>(result.size());
    std::vector<int>& inputs = result.emplace_back();
    for (const std::string& name : layer.inputs) {
      const auto found = places.find(name);
      if (found != places.end() && name == kModelInput) {
        throw Error(concat("layer ", here, " '", layer.name, "': its input '", name,
                           "' is the model's own and a layer's; give the layer another name"));
      }
      if (found == places.end() && name != kModelInput) {
        throw Error(concat("layer ", here, " '", layer.name, "': its input '", name,
                           "' is not a layer before it"));
      }
      inputs.push_back(found == places.end() ? -1 : found->second);
    }
    if (inputs.empty()) inputs.push_back(here - 1);
    places.emplace(layer.name, here);
  }
  return result;
}

std::vector<LayerShape> infer_shapes(const Model& model) {
  check_input(model.input);
  const std::vector<std::vector<int>> inputs = input_layers(model);
  std::vector<LayerShape> result;
  for (const Layer& layer : model.layers) {
    const std::size_t i = result.size();
    result.push_back(layer.kind->infer(
        {i, layer.name, layer.kind.facts(), shapes_of(model, inputs[i], result)}));
  }
  return result;
}

std::vector<std::vector<Shape>> input_shapes(const Model& model,
                                             const std::vector<LayerShape>& layers) {
  std::vector<std::vector<Shape>> result;
  for (const std::vector<int>& inputs : input_layers(model)) {
    result.push_back(shapes_of(model, inputs, layers));
  }
  return result;
}

bool has_batch_statistics(const Model& model) noexcept {
  return std::any_of(model.layers.begin(), model.layers.end(), [](const Layer& layer) {
    return layer.trainable && layer.kind.facts().mixes_rows;
  });
}

std::vector<LayerSummary> summarize(const Model& model) {
  std::vector<LayerSummary> result;
  for (const LayerShape& layer : infer_shapes(model)) {
    LayerSummary summary{.output = layer.output, .flops = layer.flops};
    for (const ParameterShape& parameter : layer.parameters) {
      const std::int64_t elements = parameter.shape.elements();
      summary.parameters += elements;
      const bool trains = is_trainable(model.layers[result.size()], parameter.role);
      summary.trainable_parameters += trains ? elements : 0;
    }
    result.push_back(summary);
  }
  return result;
}

std::vector<Parameter> parameters(const Model& model) {
  const std::vector<LayerShape> layers = infer_shapes(model);
  std::vector<Parameter> result;
  std::int64_t offset = 0;
  for (const bool trainable : {true, false}) {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      for (const ParameterShape& parameter : layers[i].parameters) {
        if (is_trainable(model.layers[i], parameter.role) != trainable) continue;
        result.push_back({.name = concat(model.layers[i].name, ".", parameter.suffix),
                          .shape = parameter.shape,
                          .role = parameter.role,
                          .layer = static_cast<int>(i),
                          .offset = offset,
                          .fan_in = layers[i].fan_in,
                          .fan_out = layers[i].fan_out,
                          .first = parameter.first,
                          .groups = parameter.groups,
                          .trainable = trainable});
        offset = end_of(result.back());
      }
    }
  }
  return result;
}

std::int64_t arena_elements(const std::vector<Parameter>& parameters) {
  return parameters.empty() ? 0 : end_of(parameters.back());
}

std::int64_t trainable_elements(const std::vector<Parameter>& parameters) {
  std::int64_t end = 0;
  for (const Parameter& parameter : parameters) {
    if (parameter.trainable) end = end_of(parameter);
  }
  return end;
}

}  // namespace millrace::nn
