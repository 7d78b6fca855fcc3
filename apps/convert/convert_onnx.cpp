#include "apps/convert/convert_onnx.h"

#include "apps/convert/output_file.h"

#include <millrace/core/error.h>
#include <millrace/core/plural.h>
#include <millrace/core/shown_text.h>
#include <millrace/io/watch.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/training/find_model.h>

#include <iostream>

namespace millrace::apps {
namespace {

/// "float32 Nx3x150x150"
std::string form_of(const OnnxValue& value) {
  return concat('"', value.name, "\", float32 Nx", value.sample);
}

/// How an image is read before its pixels are numbers: never part of the graph.
std::string reading_of(const nn::Model& model) {
  const nn::Preprocessing& p = model.preprocessing;
  return concat(p.exif_orientation ? "turned upright, " : "",
                p.background ? concat("on ", to_string(*p.background), ", ") : "", "resized to ",
                model.input[0], 'x', model.input[1], " (", p.filter, ")");
}

/// What becomes of a sample, outside and inside the graph.
std::string steps_of(const nn::Model& model, bool with_preprocessing) {
  nn::Preprocessing numbers = model.preprocessing;
  numbers.background.reset();
  const bool is_image = model.input.rank() == 3;
  std::string outside = is_image ? reading_of(model) : "columns as they are";
  if (!with_preprocessing) return concat(outside, "; then ", nn::describe(numbers));
  if (is_image) outside += concat(", 0 to 255", model.input[2] == 3 ? ", RGB" : "");
  return concat(outside, "; inside the graph ", nn::describe(numbers));
}

std::string outputs_of(const OnnxGraph& graph, const nn::Model& model) {
  std::string text = graph.metadata.at("millrace.outputs");
  const auto& names = model.targets.empty() ? model.classes : model.targets;
  const bool is_pair = graph.output.sample == Shape{1} && names.size() == 2;
  if (is_pair) {
    const char* const what = text == "probabilities" ? "probability" : "logit";
    return concat(what, " of ", names[1], ", else ", names[0]);
  }
  if (names.empty() || names.size() > 8) return text;
  text += " of ";
  for (std::size_t i = 0; i < names.size(); ++i) text += concat(i == 0 ? "" : ", ", names[i]);
  return text;
}

}  // namespace

void convert_onnx(const ConvertOnnxOptions& o, const std::stop_token& stop) {
  const Watch watch{{}, stop};
  const SavedModel saved = load_trained_model("convert onnx", o.from);
  check_output_file("convert onnx", model_file(o.from), o.to, o.overwrite);
  watch.at(0);
  OnnxGraph graph;
  try {
    graph = onnx_graph(saved, {.opset = static_cast<int>(o.opset),
                               .with_preprocessing = o.with_preprocessing,
                               .version = MILLRACE_VERSION});
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    throw Error(concat(o.from, ": ", error.what()));
  }
  watch.at(0);
  write_onnx(o.to, graph);
  if (o.quiet) return;
  std::cout << shown(o.to) << ": model '" << saved.model.name << "', " << graph.nodes.size() << ' '
            << plural(graph.nodes.size(), "node") << ", opset " << graph.opset << ", IR "
            << onnx_ir_version(graph.opset) << '\n'
            << "input   " << form_of(graph.input) << ": "
            << steps_of(saved.model, o.with_preprocessing) << '\n'
            << "output  " << form_of(graph.output) << ": " << shown(outputs_of(graph, saved.model))
            << '\n';
}

}  // namespace millrace::apps
