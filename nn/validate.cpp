#include <millrace/nn/model.h>

#include <millrace/core/error.h>
#include <millrace/core/shown_text.h>
#include <millrace/nn/preprocessing.h>

#include <algorithm>
#include <set>

namespace millrace::nn {
namespace {

void check_names(const std::vector<Layer>& layers) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].name.empty()) throw Error(concat("layer ", i, " has no name"));
    if (!names.insert(layers[i].name).second) {
      throw Error(concat("layer ", i, ": the name '", layers[i].name, "' is taken"));
    }
  }
}

/// What nobody takes would be computed for nothing, and is a wrong name more likely.
void check_ends(const Model& model) {
  std::vector<bool> is_taken(model.layers.size(), false);
  is_taken.back() = true;
  for (const std::vector<int>& inputs : input_layers(model)) {
    for (const int input : inputs) {
      if (input >= 0) is_taken[static_cast<std::size_t>(input)] = true;
    }
  }
  const auto end = std::ranges::find(is_taken, false);
  if (end == is_taken.end()) return;
  const auto i = static_cast<std::size_t>(end - is_taken.begin());
  throw Error(concat("layer ", i, " '", model.layers[i].name,
                     "': no layer takes its output, and only the last one's is the model's"));
}

void check_classes(const std::vector<std::string>& classes, const Shape& output) {
  if (classes.empty()) return;
  // One sigmoid tells two classes apart.
  const std::int64_t expected = output.elements() == 1 ? 2 : output.elements();
  if (static_cast<std::int64_t>(classes.size()) != expected) {
    throw Error(concat("classes: expected ", expected, " names for an output of ", output, ", not ",
                       classes.size()));
  }
  if (std::set<std::string_view>(classes.begin(), classes.end()).size() != classes.size()) {
    throw Error("classes: the same name twice");
  }
}

void check_targets(const Model& model, const Shape& output) {
  const std::vector<std::string>& targets = model.targets;
  if (targets.empty()) return;
  if (!model.classes.empty()) throw Error("targets: a model has targets or classes, not both");
  if (static_cast<std::int64_t>(targets.size()) != output.elements()) {
    throw Error(concat("targets: expected ", output.elements(), " names for an output of ", output,
                       ", not ", targets.size()));
  }
  if (std::set<std::string_view>(targets.begin(), targets.end()).size() != targets.size()) {
    throw Error("targets: the same name twice");
  }
}

void check_table(const TableForm& table, const Shape& input) {
  const auto columns = static_cast<std::int64_t>(table.columns.size());
  if (columns != 0 && columns != input.elements()) {
    throw Error(concat("table.columns: ", columns, " names for an input of ", input));
  }
  if (table.label_column < 0) {
    throw Error(concat("table.label_column: expected 1 or more, not ", table.label_column));
  }
  for (const std::int64_t column : table.target_columns) {
    if (column < 1) throw Error(concat("table.target_columns: expected 1 or more, not ", column));
  }
  if (table.separator != '\0' && !is_table_separator(table.separator)) {
    throw Error(concat("table.separator: expected ", kTableSeparators, ", not '",
                       shown(std::string(1, table.separator)), "'"));
  }
}

}  // namespace

void validate(const Model& model) {
  if (model.layers.empty()) throw Error(concat("the model '", model.name, "' has no layers"));
  check_names(model.layers);
  check_ends(model);
  const Shape output = summarize(model).back().output;
  check_preprocessing(model.preprocessing, model.input);
  check_classes(model.classes, output);
  check_targets(model, output);
  check_table(model.table, model.input);
}

}  // namespace millrace::nn
