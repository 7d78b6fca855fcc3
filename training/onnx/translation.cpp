#include <millrace/training/onnx/translation.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <utility>

namespace millrace::onnx_export {
namespace {

constexpr const char* kOutput = "output";

}  // namespace

std::string Names::take(std::string name) {
  while (!taken_.insert(name).second) name += '_';
  return name;
}

Translation::Translation(const SavedModel& saved, int opset)
    : saved_(saved), parameters_(nn::parameters(saved.model)) {
  graph_.name = model().name;
  graph_.opset = opset;
  graph_.input = {values_.take(std::string(nn::kModelInput)), model().input};
  values_.take(kOutput);
  for (const nn::Parameter& parameter : parameters_) values_.take(parameter.name);
  for (const nn::Layer& layer : model().layers) nodes_.take(layer.name);
}

std::string Translation::node(const std::string& name, bool is_layer, std::string op, Values inputs,
                              Attributes attributes) {
  std::string value = values_.take(name);
  graph_.nodes.push_back({.op = std::move(op),
                          .name = is_layer ? name : nodes_.take(name),
                          .inputs = std::move(inputs),
                          .outputs = {value},
                          .attributes = std::move(attributes)});
  return value;
}

std::string Translation::constant(const std::string& name, Shape shape, std::vector<float> values) {
  std::string value = values_.take(name);
  graph_.constants.push_back({value, shape, std::move(values)});
  return value;
}

std::string Translation::constant(const std::string& name, std::vector<std::int64_t> values) {
  std::string value = values_.take(name);
  const Shape shape{static_cast<std::int64_t>(values.size())};
  graph_.constants.push_back({value, shape, std::move(values)});
  return value;
}

std::string Translation::parameter(int layer, nn::Role role, const Shape& shape) {
  const auto found = std::ranges::find_if(parameters_, [&](const nn::Parameter& parameter) {
    return parameter.layer == layer && parameter.role == role;
  });
  if (found == parameters_.end()) return {};
  const auto values = std::span(saved_.parameters)
                          .subspan(static_cast<std::size_t>(found->offset),
                                   static_cast<std::size_t>(found->shape.elements()));
  graph_.constants.push_back({found->name, shape.rank() == 0 ? found->shape : shape, values});
  return found->name;
}

OnnxGraph Translation::finish(const std::string& output, const Shape& shape) && {
  std::string last = output;
  // Of nothing but dropout: an output is what a node makes.
  if (output == graph_.input.name) {
    last = node(model().layers.back().name, true, "Identity", {output}, {});
  }
  for (OnnxNode& node : graph_.nodes) {
    std::ranges::replace(node.inputs, last, std::string(kOutput));
    std::ranges::replace(node.outputs, last, std::string(kOutput));
  }
  graph_.output = {kOutput, shape};
  return std::move(graph_);
}

Shape LayerTranslation::by_channel() const {
  return is_image() ? Shape{shape()[2], 1, 1} : shape();
}

const std::string& LayerTranslation::name() const {
  return graph_.model().layers[static_cast<std::size_t>(layer_)].name;
}

std::string LayerTranslation::node_of(std::string op, Values inputs, Attributes attributes) {
  return graph_.node(name(), true, std::move(op), std::move(inputs), std::move(attributes));
}

std::string LayerTranslation::part(const std::string& what, std::string op, Values inputs,
                                   Attributes attributes) {
  return graph_.node(concat(name(), '/', what), false, std::move(op), std::move(inputs),
                     std::move(attributes));
}

std::string LayerTranslation::number(const std::string& what, float value) {
  return numbers(what, {}, std::vector<float>{value});
}
std::string LayerTranslation::numbers(const std::string& what, Shape shape,
                                      std::vector<float> values) {
  return graph_.constant(concat(name(), '/', what), shape, std::move(values));
}
std::string LayerTranslation::numbers(const std::string& what, std::vector<std::int64_t> values) {
  return graph_.constant(concat(name(), '/', what), std::move(values));
}

void LayerTranslation::refuse(const std::string& why) const {
  throw Error(concat("layer ", layer_, " '", name(), "': ", why));
}

}  // namespace millrace::onnx_export
