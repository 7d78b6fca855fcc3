#include <millrace/training/left_over_weights.h>

#include <millrace/core/error.h>
#include <millrace/training/keras_counterparts.h>

#include <utility>
#include <vector>

namespace millrace {
namespace {

std::set<std::string_view> layers_of(const TensorNames& names,
                                     const std::set<std::size_t>& tensors) {
  std::set<std::string_view> layers;
  for (const std::size_t tensor : tensors) layers.insert(layer_of(names.bare(tensor)));
  return layers;
}

/// Tensors of layers that are used: a bias where the model has none.
std::vector<std::string> left_over_tensors(const WeightFile& file, const TensorNames& names,
                                           const UsedWeights& used,
                                           const std::set<std::string_view>& ignored) {
  const std::set<std::string_view> met = layers_of(names, used.tensors);
  std::set<std::size_t> of_used_layers;
  for (const std::size_t layer : used.layers) {
    const std::vector<std::size_t>& tensors = file.layers()[layer].tensors;
    of_used_layers.insert(tensors.begin(), tensors.end());
  }
  for (std::size_t i = 0; i < file.tensors().size() && !file.is_keras(); ++i) {
    if (met.contains(layer_of(names.bare(i)))) of_used_layers.insert(i);
  }
  std::vector<std::string> result;
  for (const std::size_t tensor : of_used_layers) {
    const std::string name(names.bare(tensor));
    const bool is_left_out = used.tensors.contains(tensor) || ignored.contains(name);
    if (!is_left_out && is_weight(name)) result.push_back(name);
  }
  return result;
}

/// A file in which all of the model is found should hold no more: names tell no order.
std::vector<std::string> left_over_layers(const WeightFile& file, const TensorNames& names,
                                          const UsedWeights& used,
                                          const std::set<std::string_view>& ignored) {
  std::vector<std::string> result;
  if (!used.is_whole) return result;
  const std::set<std::string_view> met = layers_of(names, used.tensors);
  std::set<std::string_view> ignored_whole;
  for (std::size_t i = 0; i < file.tensors().size(); ++i) {
    if (ignored.contains(names.bare(i))) ignored_whole.insert(layer_of(names.bare(i)));
  }
  for (std::size_t i = 0; i < file.tensors().size(); ++i) {
    if (is_weight(names.bare(i)) && !ignored.contains(names.bare(i))) {
      ignored_whole.erase(layer_of(names.bare(i)));
    }
  }
  for (std::string& name : names.layers()) {
    const bool is_left_out = ignored.contains(name) || ignored_whole.contains(name);
    if (!met.contains(name) && !is_left_out) result.push_back(std::move(name));
  }
  return result;
}

}  // namespace

void check_ignored(const WeightFile& file, const TensorNames& names,
                   const std::vector<std::string>& ignored) {
  if (ignored.empty()) return;
  const std::set<std::string> known = names.layers_and_tensors();
  for (const std::string& name : ignored) {
    if (known.contains(name)) continue;
    throw UsageError(concat(file.path().string(), ": has no layer '", name,
                            "' that could be ignored; it has ", list_of(names.layers())));
  }
}

void check_left_over(const WeightFile& file, const TensorNames& names, const UsedWeights& used,
                     const std::set<std::string_view>& ignored, const std::string& model) {
  std::vector<std::string> left_over =
      file.is_keras() ? without_counterpart(file, used.layers, used.ignored_layers, used.expected)
                      : left_over_layers(file, names, used, ignored);
  const std::vector<std::string> tensors = left_over_tensors(file, names, used, ignored);
  left_over.insert(left_over.end(), tensors.begin(), tensors.end());
  if (left_over.empty()) return;
  constexpr std::size_t kMost = 4000;  // of what still is a line that can be copied
  std::string option;
  for (const std::string& name : left_over) {
    option += (option.empty() ? "" : ",") + name;
    if (option.size() <= kMost) continue;
    option = concat("with the names of all ", left_over.size());
    break;
  }
  const char* const them = left_over.size() == 1 ? "it" : "them";
  throw Error(concat(file.path().string(), ": the model '", model, "' has no counterpart for ",
                     list_of(left_over), " of the file, and would give other outputs without ",
                     them, "; to leave ", them, " out all the same: --ignore-layers ", option));
}

}  // namespace millrace
