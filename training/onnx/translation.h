#pragma once
// What each kind of layer becomes in an ONNX graph: one function a kind, declared from the list of
// all kinds, so that one without a translation does not link.

#include <millrace/io/onnx.h>
#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/model.h>
#include <millrace/training/saved_model.h>

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace millrace::onnx_export {

using Attributes = std::vector<OnnxAttribute>;
using Values = std::vector<std::string>;  ///< names of values

/// Names that are there only once. Thread safety: none.
class Names {
 public:
  /// The name, or the next one that is free.
  std::string take(std::string name);

 private:
  std::set<std::string> taken_;
};

/// A graph to which layers are added one after the other.
class Translation {
 public:
  Translation(const SavedModel& saved, int opset);

  [[nodiscard]] const nn::Model& model() const { return saved_.model; }
  [[nodiscard]] int opset() const { return graph_.opset; }
  /// Adds a node; returns the name of its output. `is_layer`: it has the name of a layer, which
  /// nothing else has.
  std::string node(const std::string& name, bool is_layer, std::string op, Values inputs,
                   Attributes attributes);
  std::string constant(const std::string& name, Shape shape, std::vector<float> values);
  std::string constant(const std::string& name, std::vector<std::int64_t> values);
  /// A parameter of a layer; empty if it has none of this role. `shape`: another with as many
  /// elements.
  std::string parameter(int layer, nn::Role role, const Shape& shape = {});
  /// The graph whose output is this value.
  [[nodiscard]] OnnxGraph finish(const std::string& output, const Shape& shape) &&;

 private:
  const SavedModel& saved_;
  std::vector<nn::Parameter> parameters_;
  OnnxGraph graph_;
  Names nodes_, values_;
};

/// A layer on its way into the graph.
class LayerTranslation {
 public:
  LayerTranslation(Translation& graph, int layer, Values inputs, std::vector<Shape> shapes)
      : graph_(graph), layer_(layer), inputs_(std::move(inputs)), shapes_(std::move(shapes)) {}

  [[nodiscard]] const Values& inputs() const { return inputs_; }
  [[nodiscard]] const std::string& x() const { return inputs_.front(); }
  /// Of one sample: {height, width, channels} or {features}, whatever the order in the graph.
  [[nodiscard]] const Shape& shape(std::size_t input = 0) const { return shapes_[input]; }
  [[nodiscard]] bool is_image() const { return shape().rank() == 3; }
  [[nodiscard]] int opset() const { return graph_.opset(); }
  /// The shape of one number a channel, beside the input: {C, 1, 1} or {F}.
  [[nodiscard]] Shape by_channel() const;

  /// The node that is called as the layer; returns its value. Without inputs: those of the layer.
  std::string node(std::string op, Attributes attributes = {}) {
    return node_of(std::move(op), inputs_, std::move(attributes));
  }
  std::string node_of(std::string op, Values inputs, Attributes attributes = {});
  /// A node besides, "LAYER/WHAT".
  std::string part(const std::string& what, std::string op, Values inputs,
                   Attributes attributes = {});
  std::string number(const std::string& what, float value);
  std::string numbers(const std::string& what, Shape shape, std::vector<float> values);
  std::string numbers(const std::string& what, std::vector<std::int64_t> values);
  std::string parameter(nn::Role role, const Shape& shape = {}) {
    return graph_.parameter(layer_, role, shape);
  }
  /// Throws Error that names the layer.
  [[noreturn]] void refuse(const std::string& why) const;

 private:
  [[nodiscard]] const std::string& name() const;

  Translation& graph_;
  int layer_;
  Values inputs_;
  std::vector<Shape> shapes_;
};

// Each adds the nodes of a layer and returns the name of its value.
#define MILLRACE_TRANSLATE_KIND(Kind) \
  std::string translate(const nn::Kind& kind, LayerTranslation& layer);
MILLRACE_LAYER_KINDS(MILLRACE_TRANSLATE_KIND)
#undef MILLRACE_TRANSLATE_KIND

/// Scale, mean, deviation and order of channels of the input; returns the name of their value.
/// Throws Error for what looks at whole samples.
std::string translate_preprocessing(Translation& graph, const std::string& input);

}  // namespace millrace::onnx_export
