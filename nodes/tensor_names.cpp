#include <millrace/nodes/tensor_names.h>

#include <millrace/core/error.h>
#include <millrace/io/tensor_names.h>
#include <millrace/nodes/keras_counterparts.h>
#include <millrace/nodes/saved_model.h>

#include <algorithm>
#include <array>

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

TensorNames::TensorNames(const WeightFile& file, const std::vector<std::string>& own)
    : file_(&file) {
  const auto& tensors = file.tensors();
  const bool has_any = std::any_of(own.begin(), own.end(), [&](const std::string& name) {
    return std::any_of(tensors.begin(), tensors.end(), [&](const WeightFile::Tensor& tensor) {
      return tensor.name == name || tensor.name == timm_name(name);
    });
  });
  if (has_any || file.is_keras()) return;
  prefix_ = file.wrapper();
  own_prefix_ = common_wrapper(own);
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
  for (std::size_t i = 0; i < file_->tensors().size() && !file_->is_keras(); ++i) {
    std::string name(layer_of(bare(i)));
    const bool is_new = std::find(names.begin(), names.end(), name) == names.end();
    if (is_new && is_weight(bare(i))) names.push_back(std::move(name));
  }
  return names;
}

bool TensorNames::holds(std::string_view name) const {
  const std::vector<std::string> all = layers();
  if (std::find(all.begin(), all.end(), name) != all.end()) return true;
  for (std::size_t i = 0; i < file_->tensors().size(); ++i) {
    if (bare(i) == name) return true;
  }
  return false;
}

}  // namespace millrace
