#include <millrace/training/tensor_names.h>

#include <millrace/core/error.h>
#include <millrace/io/tensor_names.h>
#include <millrace/training/keras_counterparts.h>
#include <millrace/training/saved_model.h>

#include <algorithm>
#include <array>
#include <set>

namespace millrace {
namespace {

struct Alias {
  std::string_view ours, timm;
};
constexpr std::array<Alias, 3> kTimm{{{"classifier.0", "pre_logits.fc1"},
                                      {"classifier.3", "pre_logits.fc2"},
                                      {"classifier.6", "head.fc"}}};

std::string_view without(std::string_view name, std::string_view prefix) {
  if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  return name;
}

}  // namespace

std::string_view layer_of(std::string_view tensor) {
  return tensor.substr(0, tensor.find_last_of("./"));
}

std::string timm_name(std::string_view name) {
  const std::string_view layer = layer_of(name);
  const auto found =
      std::find_if(kTimm.begin(), kTimm.end(), [&](const Alias& a) { return a.ours == layer; });
  return found == kTimm.end() ? "" : concat(found->timm, name.substr(layer.size()));
}

bool is_weight(std::string_view tensor) {
  return !is_count_of_steps(tensor) && tensor != kWhitening;
}

std::string list_of(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 6;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kMost; ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  return names.size() > kMost ? concat(text, " and ", names.size() - kMost, " more") : text;
}

TensorNames::TensorNames(const WeightFile& file, const std::vector<std::string>& own)
    : file_(&file) {
  if (file.is_keras()) return;
  std::set<std::string_view> theirs;
  for (const WeightFile::Tensor& tensor : file.tensors()) theirs.insert(tensor.name);
  const bool has_any = std::any_of(own.begin(), own.end(), [&](const std::string& name) {
    return theirs.contains(name) || theirs.contains(timm_name(name));
  });
  if (has_any) return;
  own_prefix_ = common_wrapper(own);
  prefix_ = file.wrapper();
  if (prefix_.empty()) prefix_ = wrapper_of_some(own);
}

// A module of one's own that holds the model holds other things too: the weights of its loss.
std::string TensorNames::wrapper_of_some(const std::vector<std::string>& own_names) const {
  std::set<std::string> sought;
  for (const std::string& name : own_names) sought.insert(own(name));
  std::set<std::string> prefixes;
  for (const WeightFile::Tensor& tensor : file_->tensors()) {
    const std::string prefix = common_wrapper({tensor.name});
    if (sought.contains(tensor.name.substr(prefix.size()))) prefixes.insert(prefix);
  }
  return prefixes.size() == 1 ? *prefixes.begin() : "";
}

std::string_view TensorNames::bare(std::size_t tensor) const {
  return without(file_->tensors()[tensor].name, prefix_);
}

std::string TensorNames::own(const std::string& parameter) const {
  return std::string(without(parameter, own_prefix_));
}

std::vector<std::string> TensorNames::layers() const {
  std::vector<std::string> names;
  for (const WeightFile::Layer& layer : file_->layers()) {
    if (class_of(*file_, layer) != LayerClass::weightless) names.push_back(layer.name);
  }
  if (file_->is_keras()) return names;
  std::set<std::string_view> met;
  for (std::size_t i = 0; i < file_->tensors().size(); ++i) {
    const std::string_view name = layer_of(bare(i));
    if (is_weight(bare(i)) && met.insert(name).second) names.emplace_back(name);
  }
  return names;
}

std::set<std::string> TensorNames::layers_and_tensors() const {
  const std::vector<std::string> all = layers();
  std::set<std::string> names(all.begin(), all.end());
  for (std::size_t i = 0; i < file_->tensors().size(); ++i) names.emplace(bare(i));
  return names;
}

}  // namespace millrace
