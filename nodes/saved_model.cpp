#include <millrace/nodes/saved_model.h>

#include <millrace/io/safetensors.h>
#include <millrace/nn/model_json.h>

#include <algorithm>

namespace millrace {
namespace {

constexpr const char* kModelKey = "millrace.model";

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
  write_safetensors(path, tensors, {{kModelKey, nn::to_json(model)}, {"format", "pt"}});
}

SavedModel load_model(const std::filesystem::path& path) {
  const SafetensorsFile file(path);
  SavedModel saved{model_of(file, path), {}};
  const std::vector<nn::Parameter> wanted = nn::parameters(saved.model);
  saved.parameters.resize(static_cast<std::size_t>(nn::arena_elements(wanted)));
  for (const nn::Parameter& parameter : wanted) {
    const SafetensorsFile::Tensor* tensor = file.find(parameter.name);
    if (tensor == nullptr)
      throw Error(concat(path.string(), ": tensor '", parameter.name, "' is missing"));
    if (tensor->shape != parameter.shape) {
      throw Error(concat(path.string(), ": tensor '", parameter.name, "' is ", tensor->shape,
                         ", the model wants ", parameter.shape));
    }
    file.read(parameter.name, part(std::span(saved.parameters), parameter));
  }
  for (const SafetensorsFile::Tensor& tensor : file.tensors()) {
    const bool is_known = std::any_of(wanted.begin(), wanted.end(), [&](const nn::Parameter& p) {
      return p.name == tensor.name;
    });
    if (!is_known)
      throw Error(concat(path.string(), ": the model has no tensor '", tensor.name, "'"));
  }
  return saved;
}

}  // namespace millrace
