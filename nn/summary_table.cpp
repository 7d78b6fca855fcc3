#include <millrace/core/bytes.h>
#include <millrace/core/error.h>
#include <millrace/core/shown_text.h>
#include <millrace/nn/model.h>

#include <algorithm>
#include <array>
#include <iomanip>
#include <sstream>
#include <tuple>

namespace millrace::nn {
namespace {

using Row = std::array<std::string, 6>;  // layer, kind, inputs, output, parameters, MFLOP

std::string with_separators(std::int64_t count) {
  std::string digits = std::to_string(count);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  }
  return digits;
}

std::string mega(std::int64_t flops) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(1) << static_cast<double>(flops) / 1e6;
  return flops == 0 ? "-" : text.str();
}

std::string aligned(const std::vector<Row>& rows) {
  std::array<std::size_t, std::tuple_size_v<Row>> widths{};
  for (const Row& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string text;
  for (const Row& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (widths[c] == 0) continue;  // the inputs of a chain
      const std::string gap(widths[c] - row[c].size(), ' ');
      const bool is_number = c >= 4;
      text += is_number ? "  " + gap + row[c] : row[c] + gap + "  ";
    }
    text += '\n';
  }
  return text;
}

Row row_of(const Layer& layer, const LayerSummary& summary) {
  const bool is_frozen = !layer.trainable && summary.parameters > 0;
  std::string inputs;
  for (const std::string& name : layer.inputs) {
    inputs += concat(inputs.empty() ? "" : ", ", shown(name));
  }
  return {shown(layer.name),
          concat(kind_name(layer.kind), is_frozen ? " (frozen)" : ""),
          inputs,
          to_string(summary.output),
          summary.parameters == 0 ? "-" : with_separators(summary.parameters),
          mega(summary.flops)};
}

}  // namespace

std::string summary_table(const Model& model) {
  const std::vector<LayerSummary> layers = summarize(model);
  const bool is_chain =
      std::ranges::all_of(model.layers, [](const Layer& layer) { return layer.inputs.empty(); });
  std::vector<Row> rows{
      {"layer", "kind", is_chain ? "" : "inputs", "output", "parameters", "MFLOP"},
      {"input", "", "", to_string(model.input), "-", "-"}};
  LayerSummary sum;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    rows.push_back(row_of(model.layers[i], layers[i]));
    sum.parameters += layers[i].parameters;
    sum.trainable_parameters += layers[i].trainable_parameters;
    sum.flops += layers[i].flops;
  }
  const Bytes size{4 * static_cast<std::uint64_t>(sum.parameters)};
  return concat("model '", shown(model.name), "'\n", aligned(rows), with_separators(sum.parameters),
                " parameters (", to_string(size), " as float32), ",
                with_separators(sum.trainable_parameters), " of them trainable; ",
                sum.flops == 0 ? "0" : mega(sum.flops), " MFLOP a sample forward\n");
}

}  // namespace millrace::nn
