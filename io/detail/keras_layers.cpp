#include <millrace/io/detail/keras_layers.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <tuple>

namespace millrace::detail {
namespace {

[[noreturn]] void fail(const Hdf5File& file, const std::string& what) {
  throw Error(concat(file.path().string(), ": ", what));
}

std::string joined(const std::string& group, const std::string& name) {
  return group.empty() ? name : group + '/' + name;
}

/// An attribute, or its pieces NAME0, NAME1, ... one after the other.
std::optional<Hdf5File::Strings> strings(const Hdf5File::Group& group, const std::string& name) {
  const auto whole = group.attributes.find(name);
  if (whole != group.attributes.end()) return whole->second;
  Hdf5File::Strings all;
  for (std::size_t piece = 0;; ++piece) {
    const auto found = group.attributes.find(name + std::to_string(piece));
    if (found == group.attributes.end()) {
      return piece == 0 ? std::nullopt : std::optional(std::move(all));
    }
    all.insert(all.end(), found->second.begin(), found->second.end());
  }
}

/// "block1_conv1/kernel" of "vgg16/block1_conv1/kernel:0" -> "block1_conv1" and "kernel".
std::pair<std::string, std::string> layer_and_variable(std::string_view path,
                                                       const std::string& group) {
  path = path.substr(0, path.find(':'));
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {group, std::string(path)};
  const std::string_view folders = path.substr(0, slash);
  const std::size_t last = folders.rfind('/');
  const std::string_view layer =
      last == std::string_view::npos ? folders : folders.substr(last + 1);
  return {std::string(layer), std::string(path.substr(slash + 1))};
}

/// The variables of one group; a model within the model has those of several layers.
void append_group(const Hdf5File& file, const std::string& path, const std::string& name,
                  std::vector<KerasLayer>& layers) {
  const Hdf5File::Group* const group = file.find_group(path);
  if (group == nullptr) fail(file, concat("the layer '", name, "' of its list has no group"));
  const auto weights = strings(*group, "weight_names");
  if (!weights) fail(file, concat("the layer '", name, "' has no attribute weight_names"));
  std::string current;
  for (const std::string& weight : *weights) {
    const Hdf5File::Dataset* const dataset = file.find_dataset(joined(path, weight));
    if (dataset == nullptr) {
      fail(file, concat("the layer '", name, "' has no data set '", weight, "'"));
    }
    const auto [layer, variable] = layer_and_variable(weight, name);
    if (layers.empty() || current != layer) layers.push_back({layer, {}});
    current = layer;
    layers.back().tensors.push_back({layer + '/' + variable, dataset});
  }
}

std::vector<KerasLayer> keras2_layers(const Hdf5File& file, const std::string& root,
                                      const Hdf5File::Strings& names) {
  std::vector<KerasLayer> layers;
  for (const std::string& name : names) {
    append_group(file, joined(root, name), name, layers);
  }
  return layers;
}

/// "layers/conv2d_10/vars" by text and number, so that conv2d_2 comes before conv2d_10.
using SortKey = std::vector<std::pair<std::string, std::uint64_t>>;

SortKey sort_key(std::string_view path) {
  SortKey key;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    const std::size_t line = part.rfind('_');
    std::uint64_t number = 0;
    const bool has_number =
        line != std::string_view::npos && line + 1 < part.size() &&
        std::from_chars(part.data() + line + 1, part.data() + part.size(), number).ptr ==
            part.data() + part.size();
    key.emplace_back(has_number ? part.substr(0, line) : part, has_number ? number : 0);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return key;
}

std::vector<KerasLayer> keras3_layers(const Hdf5File& file) {
  std::vector<std::pair<SortKey, const Hdf5File::Group*>> groups;
  for (const Hdf5File::Group& group : file.groups()) {
    const bool is_layer = group.path.starts_with("layers/") && group.path.ends_with("/vars");
    if (is_layer) groups.emplace_back(sort_key(group.path), &group);
  }
  std::sort(groups.begin(), groups.end());
  std::vector<KerasLayer> layers;
  for (const auto& [key, group] : groups) {
    const auto named = group->attributes.find("name");
    KerasLayer layer;
    layer.name = named != group->attributes.end() && named->second.size() == 1
                     ? named->second.front()
                     : key[key.size() - 2].first;
    for (std::size_t i = 0;; ++i) {
      const auto* dataset = file.find_dataset(joined(group->path, std::to_string(i)));
      if (dataset == nullptr) break;
      layer.tensors.push_back({concat(layer.name, '/', i), dataset});
    }
    if (!layer.tensors.empty()) layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace

std::vector<KerasLayer> keras_layers(const Hdf5File& file) {
  std::vector<KerasLayer> layers;
  const Hdf5File::Group* root = file.find_group("model_weights");
  if (root == nullptr) root = file.find_group("");
  const auto names = root == nullptr ? std::nullopt : strings(*root, "layer_names");
  if (names) {
    layers = keras2_layers(file, root->path, *names);
  } else if (file.find_group("layers") != nullptr) {
    layers = keras3_layers(file);
  } else {
    fail(file, "no weights of Keras: neither the attribute layer_names nor a group 'layers'");
  }
  if (layers.empty()) fail(file, "holds no weights");
  return layers;
}

}  // namespace millrace::detail
