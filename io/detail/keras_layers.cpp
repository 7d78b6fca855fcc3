#include <millrace/io/detail/keras_layers.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <array>
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

/// "block1_conv1/kernel" of "vgg16/block1_conv1/kernel:0" -> "block1_conv1" and "kernel"; of the
/// group "fire2/squeeze1x1" also "fire2/squeeze1x1_W:0" -> "fire2/squeeze1x1" and "W".
std::pair<std::string, std::string> layer_and_variable(std::string_view path,
                                                       const std::string& group) {
  path = path.substr(0, path.find(':'));
  if (group.find('/') != std::string::npos && path.starts_with(group)) {
    const std::string_view rest = path.substr(group.size());
    const bool is_variable = rest.size() > 1 && (rest[0] == '/' || rest[0] == '_');
    if (is_variable && rest.find('/', 1) == std::string_view::npos) {
      return {group, std::string(rest.substr(1))};
    }
  }
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {group, std::string(path)};
  const std::string_view folders = path.substr(0, slash);
  const std::size_t last = folders.rfind('/');
  const std::string_view layer =
      last == std::string_view::npos ? folders : folders.substr(last + 1);
  return {std::string(layer), std::string(path.substr(slash + 1))};
}

/// "conv2d_10" -> "conv2d" and 10; 0 where there is no number.
std::pair<std::string, std::uint64_t> name_and_number(std::string_view part) {
  const std::size_t line = part.rfind('_');
  std::uint64_t number = 0;
  const char* const end = part.data() + part.size();
  const bool has_number = line != std::string_view::npos && line + 1 < part.size() &&
                          std::from_chars(part.data() + line + 1, end, number).ptr == end;
  return {std::string(has_number ? part.substr(0, line) : part), has_number ? number : 0};
}

std::string without_number(std::string_view name) {
  return name_and_number(name).first;
}

/// The variables of one group; a model within the model has those of several layers.
void append_group(const Hdf5File& file, const std::string& path, const std::string& name,
                  std::vector<KerasLayer>& layers) {
  const Hdf5File::Group* const group = file.find_group(path);
  if (group == nullptr) fail(file, concat("the layer '", name, "' of its list has no group"));
  const auto weights = strings(*group, "weight_names");
  if (!weights) fail(file, concat("the layer '", name, "' has no attribute weight_names"));
  if (weights->empty()) layers.push_back({name, without_number(name), {}});
  std::string current;
  for (const std::string& weight : *weights) {
    const Hdf5File::Dataset* const dataset = file.find_dataset(joined(path, weight));
    if (dataset == nullptr) {
      fail(file, concat("the layer '", name, "' has no data set '", weight, "'"));
    }
    const auto [layer, variable] = layer_and_variable(weight, name);
    if (layers.empty() || current != layer) layers.push_back({layer, without_number(layer), {}});
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

/// Of the group of all layers: Keras 3's, and that of TensorFlow 2.12.
constexpr std::array<std::string_view, 2> kGroups{"layers", "_layer_checkpoint_dependencies"};

bool is_of_layers(std::string_view path) {
  return std::ranges::any_of(kGroups, [path](std::string_view group) {
    return path.starts_with(group) && path.substr(group.size()).starts_with('/');
  });
}

/// "layers/conv2d_10/vars" by text and number, so that conv2d_2 comes before conv2d_10.
using SortKey = std::vector<std::pair<std::string, std::uint64_t>>;

SortKey sort_key(std::string_view path) {
  SortKey key;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    key.push_back(name_and_number(path.substr(0, end)));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return key;
}

std::vector<KerasLayer> keras3_layers(const Hdf5File& file) {
  std::vector<std::pair<SortKey, const Hdf5File::Group*>> groups;
  for (const Hdf5File::Group& group : file.groups()) {
    // Random layers keep the state of their generator beside them, which is no layer.
    const bool is_layer = is_of_layers(group.path) && group.path.ends_with("/vars") &&
                          !group.path.ends_with("/seed_generator/vars");
    if (is_layer) groups.emplace_back(sort_key(group.path), &group);
  }
  std::sort(groups.begin(), groups.end());
  std::vector<KerasLayer> layers;
  for (const auto& [key, group] : groups) {
    const auto named = group->attributes.find("name");
    KerasLayer layer;
    layer.kind = key[key.size() - 2].first;
    layer.name = named != group->attributes.end() && named->second.size() == 1
                     ? named->second.front()
                     : layer.kind;
    for (std::size_t i = 0;; ++i) {
      const auto* dataset = file.find_dataset(joined(group->path, std::to_string(i)));
      if (dataset == nullptr) break;
      layer.tensors.push_back({concat(layer.name, '/', i), dataset});
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace

KerasLayers keras_layers(const Hdf5File& file) {
  KerasLayers result;
  const Hdf5File::Group* const top = file.find_group("");
  const Hdf5File::Group* root = file.find_group("model_weights");
  if (root == nullptr) root = top;
  const auto names = root == nullptr ? std::nullopt : strings(*root, "layer_names");
  if (names) {
    result.layers = keras2_layers(file, root->path, *names);
    result.is_in_order = true;
  } else if (std::ranges::any_of(kGroups, [&file](std::string_view group) {
               return file.find_group(std::string(group)) != nullptr;
             })) {
    result.layers = keras3_layers(file);
  } else {
    fail(file, "no weights of Keras: neither the attribute layer_names nor a group 'layers'");
  }
  const bool has_weights =
      std::any_of(result.layers.begin(), result.layers.end(),
                  [](const KerasLayer& layer) { return !layer.tensors.empty(); });
  if (!has_weights) fail(file, "holds no weights");
  const auto config = top == nullptr ? std::nullopt : strings(*top, "model_config");
  result.is_channels_first = config && config->size() == 1 &&
                             config->front().find("\"channels_first\"") != std::string::npos;
  return result;
}

}  // namespace millrace::detail
