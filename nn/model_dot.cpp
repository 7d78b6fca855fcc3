#include <millrace/nn/model_dot.h>

#include <millrace/core/error.h>
#include <millrace/core/shown_text.h>

namespace millrace::nn {
namespace {

/// In double quotes; lines end as text in a box does.
std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    c == '\n' ? result += "\\n" : result += c;
  }
  return result + '"';
}

std::string node(int layer) {
  return layer < 0 ? "input" : concat("layer", layer);
}

}  // namespace

std::string to_dot(const Model& model) {
  const std::vector<LayerShape> shapes = infer_shapes(model);
  const std::vector<std::vector<int>> inputs = input_layers(model);
  std::string text = concat("digraph ", quoted(shown(model.name)), " {\n  node [shape=box];\n  ",
                            node(-1), " [label=", quoted(concat("input\n", model.input)), "];\n");
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    const Layer& layer = model.layers[i];
    const std::string here = node(static_cast<int>(i));
    text += concat(
        "  ", here, " [label=",
        quoted(concat(shown(layer.name), '\n', to_string(layer.kind), '\n', shapes[i].output)),
        "];\n");
    for (const int input : inputs[i]) text += concat("  ", node(input), " -> ", here, ";\n");
  }
  return text + "}\n";
}

}  // namespace millrace::nn
