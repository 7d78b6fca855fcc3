#include <millrace/nodes/saved_model.h>

#include <millrace/io/safetensors.h>
#include <millrace/nn/model_json.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace millrace {
namespace {

constexpr const char* kModelKey = "millrace.model";
constexpr const char* kWhitening = "preprocessing.whitening";

Shape whitening_shape(const nn::Model& model) {
  return {model.input.elements(), model.input.elements()};
}

void check_shape(const SafetensorsFile& file, const std::string& name, const Shape& wanted,
                 const std::filesystem::path& path) {
  const SafetensorsFile::Tensor* tensor = file.find(name);
  if (tensor == nullptr) throw Error(concat(path.string(), ": tensor '", name, "' is missing"));
  if (tensor->shape != wanted) {
    throw Error(concat(path.string(), ": tensor '", name, "' is ", tensor->shape,
                       ", the model wants ", wanted));
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

nn::Model model_of(const SafetensorsFile& file, const std::filesystem::path& path) {
  const auto json = file.metadata().find(kModelKey);
  if (json == file.metadata().end()) {
    throw Error(concat(path.string(), ": holds weights but no model of Millrace"));
  }
  try {
    return nn::model_from_json(json->second);
  } catch (const Error& error) {
    throw Error(concat(path.string(), ": ", error.what()));
  }
}

}  // namespace

void save_model(const std::filesystem::path& path, const nn::Model& model,
                std::span<const float> parameters) {
  std::vector<NamedTensor> tensors;
  for (const nn::Parameter& parameter : nn::parameters(model)) {
    tensors.push_back({parameter.name, parameter.shape, part(parameters, parameter)});
  }
  if (model.preprocessing.whiten) {
    if (model.preprocessing.whitening == nullptr) {
      throw Error(concat(path.string(), ": the whitening of the model '", model.name,
                         "' was never fitted, so it cannot be saved"));
    }
    tensors.push_back({kWhitening, whitening_shape(model), *model.preprocessing.whitening});
  }
  write_safetensors(path, tensors, {{kModelKey, nn::to_json(model)}, {"format", "pt"}});
}

SavedModel load_model(const std::filesystem::path& path) {
  const SafetensorsFile file(path);
  SavedModel saved{model_of(file, path), {}};
  const std::vector<nn::Parameter> wanted = nn::parameters(saved.model);
  saved.parameters.resize(static_cast<std::size_t>(nn::arena_elements(wanted)));
  for (const nn::Parameter& parameter : wanted) {
    check_shape(file, parameter.name, parameter.shape, path);
    file.read(parameter.name, part(std::span(saved.parameters), parameter));
  }
  if (saved.model.preprocessing.whiten) load_whitening(file, saved.model, path);
  for (const SafetensorsFile::Tensor& tensor : file.tensors()) {
    if (saved.model.preprocessing.whiten && tensor.name == kWhitening) continue;
    const bool is_known = std::any_of(wanted.begin(), wanted.end(), [&](const nn::Parameter& p) {
      return p.name == tensor.name;
    });
    if (!is_known)
      throw Error(concat(path.string(), ": the model has no tensor '", tensor.name, "'"));
  }
  return saved;
}

}  // namespace millrace
