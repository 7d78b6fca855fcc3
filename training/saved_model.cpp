#include <millrace/training/saved_model.h>

#include <millrace/io/safetensors.h>
#include <millrace/io/weight_file.h>
#include <millrace/nn/average.h>
#include <millrace/nn/engine.h>
#include <millrace/nn/model_json.h>
#include <millrace/nn/weight_layout.h>
#include <millrace/nn/zoo/zoo.h>

#include <memory>
#include <set>
#include <utility>

namespace millrace {
namespace {

constexpr const char* kModelKey = "millrace.model";
constexpr const char* kFlattenKey = "millrace.flatten";
constexpr const char* kChannelsFirst = "channels_first";

Shape whitening_shape(const nn::Model& model) {
  return {model.input.elements(), model.input.elements()};
}

void check_shape(const SafetensorsFile& file, const std::string& name, const Shape& wanted,
                 const std::filesystem::path& path) {
  const SafetensorsFile::Tensor* tensor = file.find(name);
  if (tensor == nullptr) throw Error(concat(path.string(), ": tensor '", name, "' is missing"));
  if (tensor->shape != wanted) {
    throw Error(concat(path.string(), ": tensor '", name, "' is ", tensor->shape,
                       ", the model needs ", wanted));
  }
}

void load_whitening(const SafetensorsFile& file, nn::Model& model,
                    const std::filesystem::path& path) {
  const Shape shape = whitening_shape(model);
  check_shape(file, kWhitening, shape, path);
  std::vector<float> matrix(static_cast<std::size_t>(shape.elements()));
  file.read(kWhitening, matrix);
  model.preprocessing.whitening = std::make_shared<const std::vector<float>>(std::move(matrix));
}

template <class Values>
auto part(Values values, const nn::Parameter& parameter) {
  return values.subspan(static_cast<std::size_t>(parameter.offset),
                        static_cast<std::size_t>(parameter.shape.elements()));
}

nn::Model model_of(const Metadata& metadata, const std::filesystem::path& path) {
  const auto json = metadata.find(kModelKey);
  if (json == metadata.end()) {
    throw Error(
        concat(path.string(),
               ": holds weights but no model of Millrace; 'millrace convert weights' adds one"));
  }
  try {
    return nn::model_from_json(json->second);
  } catch (const Error& error) {
    throw Error(concat(path.string(), ": ", error.what()));
  }
}

/// The images whose flattened pixels a file has in PyTorch's order, by layer; none without
/// dimensions.
std::vector<Shape> reordered_images(const nn::Model& model, bool channels_first) {
  if (!channels_first) return std::vector<Shape>(model.layers.size());
  nn::require_known_order(model);
  return nn::flattened_images(model);
}

/// What a file calls a parameter, and its shape there: torchvision's in PyTorch's order.
nn::TorchTensor tensor_of(const nn::Model& model, const nn::Parameter& parameter, bool is_torch) {
  if (is_torch) return nn::zoo_torch_tensor(model, parameter);
  return {parameter.name, parameter.shape};
}

const Shape& image_of(const std::vector<Shape>& images, const nn::Parameter& parameter) {
  static const Shape kNone;
  const bool has_inputs = parameter.role != nn::Role::bias;
  return has_inputs ? images[static_cast<std::size_t>(parameter.layer)] : kNone;
}

}  // namespace

void save_model(const std::filesystem::path& path, const nn::Model& model,
                std::span<const float> parameters, FlattenOrder order,
                std::span<const float> averages) {
  const bool is_reordered = order == FlattenOrder::channels_first;
  const std::vector<Shape> images = reordered_images(model, is_reordered);
  std::vector<NamedTensor> tensors;
  std::vector<std::vector<float>> copies;  // of those in another order; moving keeps their numbers
  for (const nn::Parameter& parameter : nn::parameters(model)) {
    const Shape& image = image_of(images, parameter);
    const bool is_averaged = parameter.trainable && !averages.empty();
    std::span<const float> values = part(is_averaged ? averages : parameters, parameter);
    if (image.rank() == 3) values = copies.emplace_back(nn::to_channels_first(image, values));
    nn::TorchTensor tensor = tensor_of(model, parameter, is_reordered);
    tensors.push_back({std::move(tensor.name), tensor.shape, values});
  }
  if (model.preprocessing.whiten) {
    if (model.preprocessing.whitening == nullptr) {
      throw Error(concat(path.string(), ": the whitening of the model '", model.name,
                         "' was never fitted, so it cannot be saved"));
    }
    tensors.push_back({kWhitening, whitening_shape(model), *model.preprocessing.whitening});
  }
  Metadata metadata{{kModelKey, nn::to_json(model)}, {"format", "pt"}};
  if (is_reordered) metadata[kFlattenKey] = kChannelsFirst;
  write_safetensors(path, tensors, metadata);
}

void save_model(const std::filesystem::path& path, nn::Executor& executor) {
  const nn::AverageScope averages(executor);
  save_model(path, executor.model(), executor.read(nn::Arena::parameters));
}

SavedModel load_model(const std::filesystem::path& path) {
  const SafetensorsFile file(path);
  SavedModel saved{model_of(file.metadata(), path), {}};
  const std::vector<nn::Parameter> wanted = nn::parameters(saved.model);
  const bool is_reordered = !is_channels_last(file.metadata());
  const std::vector<Shape> images = reordered_images(saved.model, is_reordered);
  std::set<std::string> known;
  saved.parameters.resize(static_cast<std::size_t>(nn::arena_elements(wanted)));
  for (const nn::Parameter& parameter : wanted) {
    const nn::TorchTensor tensor = tensor_of(saved.model, parameter, is_reordered);
    known.insert(tensor.name);
    check_shape(file, tensor.name, tensor.shape, path);
    const auto values = part(std::span(saved.parameters), parameter);
    file.read(tensor.name, values);
    const Shape& image = image_of(images, parameter);
    if (image.rank() != 3) continue;
    const std::vector<float> theirs(values.begin(), values.end());
    nn::place({.order = nn::WeightOrder::channels_first, .image = image}, 0, theirs, values);
  }
  if (saved.model.preprocessing.whiten) {
    load_whitening(file, saved.model, path);
    known.insert(kWhitening);
  }
  for (const SafetensorsFile::Tensor& tensor : file.tensors()) {
    if (known.contains(tensor.name)) continue;
    throw Error(concat(path.string(), ": the model has no tensor '", tensor.name, "'"));
  }
  return saved;
}

nn::Model read_model(const std::filesystem::path& path) {
  const SafetensorsFile file(path);
  nn::Model model = model_of(file.metadata(), path);
  if (model.preprocessing.whiten) load_whitening(file, model, path);
  return model;
}

bool holds_model(const Metadata& metadata) {
  return metadata.contains(kModelKey);
}

bool is_channels_last(const Metadata& metadata) {
  return holds_model(metadata) && !metadata.contains(kFlattenKey);
}

std::optional<nn::Preprocessing> saved_preprocessing(const WeightFile& file) {
  if (!holds_model(file.metadata())) return std::nullopt;
  nn::Model model = model_of(file.metadata(), file.path());
  if (model.preprocessing.whiten) load_whitening(SafetensorsFile(file.path()), model, file.path());
  return model.preprocessing;
}

}  // namespace millrace
