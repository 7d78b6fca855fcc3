#include <millrace/training/export_onnx.h>

#include <millrace/core/error.h>
#include <millrace/nn/model_json.h>
#include <millrace/nn/probabilities.h>
#include <millrace/training/onnx/translation.h>

#include <nlohmann/json.hpp>

#include <utility>
#include <vector>

namespace millrace {
namespace {

using onnx_export::LayerTranslation;
using onnx_export::Translation;
using onnx_export::Values;

/// The value of a layer.
std::string translate(Translation& graph, int index, Values inputs, std::vector<Shape> shapes) {
  const nn::Layer& layer = graph.model().layers[static_cast<std::size_t>(index)];
  if (layer.kind->is_identity(false)) return inputs.front();
  LayerTranslation translation(graph, index, std::move(inputs), std::move(shapes));
  std::string value;
  const bool is_known =
      nn::visit_kind(layer.kind, [&](const auto& kind) { value = translate(kind, translation); });
  if (!is_known) {
    translation.refuse(concat("the kind '", kind_name(layer.kind), "' is not one of the library's ",
                              "and has no ONNX operators"));
  }
  return value;
}

std::string kind_of_outputs(const nn::Model& model) {
  if (nn::summarize(model).back().output.rank() == 3) return "features";
  if (nn::output_kind(model) == nn::OutputKind::probabilities) return "probabilities";
  return model.targets.empty() ? "logits" : "numbers";
}

std::map<std::string, std::string> metadata_of(const nn::Model& model, bool has_preprocessing) {
  using nlohmann::json;
  std::map<std::string, std::string> metadata;
  const json description = json::parse(nn::to_json(model));
  metadata["millrace.preprocessing"] = description.at("preprocessing").dump();
  metadata["millrace.preprocessing_inside"] = has_preprocessing ? "true" : "false";
  metadata["millrace.outputs"] = kind_of_outputs(model);
  if (!model.classes.empty()) metadata["millrace.classes"] = json(model.classes).dump();
  if (!model.targets.empty()) metadata["millrace.targets"] = json(model.targets).dump();
  return metadata;
}

/// As the graph has it: channels first.
Shape graph_shape(const Shape& sample) {
  return sample.rank() == 3 ? Shape{sample[2], sample[0], sample[1]} : sample;
}

}  // namespace

OnnxGraph onnx_graph(const SavedModel& saved, const OnnxOptions& options) {
  if (options.opset < kLeastOpset || options.opset > kMostOpset) {
    throw UsageError(
        concat("opset must be from ", kLeastOpset, " to ", kMostOpset, ", not ", options.opset));
  }
  const nn::Model& model = saved.model;
  const std::vector<nn::LayerShape> layers = nn::infer_shapes(model);
  const std::vector<std::vector<int>> inputs = nn::input_layers(model);
  const std::vector<std::vector<Shape>> shapes = nn::input_shapes(model, layers);
  Translation graph(saved, options.opset);
  std::string input(nn::kModelInput);
  if (options.with_preprocessing) input = translate_preprocessing(graph, input);
  std::vector<std::string> values;  // of layers
  for (std::size_t i = 0; i < layers.size(); ++i) {
    Values taken;
    for (const int from : inputs[i]) {
      taken.push_back(from < 0 ? input : values[static_cast<std::size_t>(from)]);
    }
    values.push_back(translate(graph, static_cast<int>(i), std::move(taken), shapes[i]));
  }
  OnnxGraph result = std::move(graph).finish(values.back(), graph_shape(layers.back().output));
  result.version = options.version;
  result.input.sample = graph_shape(model.input);
  result.metadata = metadata_of(model, options.with_preprocessing);
  return result;
}

void export_onnx(const std::filesystem::path& path, const SavedModel& saved,
                 const OnnxOptions& options) {
  write_onnx(path, onnx_graph(saved, options));
}

}  // namespace millrace
