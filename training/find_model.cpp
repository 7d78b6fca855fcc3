#include <millrace/training/find_model.h>

#include <millrace/core/error.h>
#include <millrace/io/files.h>
#include <millrace/nn/model_json.h>
#include <millrace/nn/zoo/zoo.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>

namespace millrace {
namespace {

constexpr const char* kModelFile = "model.safetensors";

/// What stands under "preprocessing" in a JSON file; nothing for other words.
std::optional<nlohmann::json> stated_preprocessing(const std::string& model) {
  if (!is_json_file(model)) return std::nullopt;
  const std::vector<std::byte> bytes = read_file(model);
  const auto* const text = reinterpret_cast<const char*>(bytes.data());
  const auto json = nlohmann::json::parse(text, text + bytes.size(), nullptr, false);
  if (!json.is_object() || !json.contains("preprocessing")) return std::nullopt;
  return json.at("preprocessing");
}

}  // namespace

bool is_json_file(const std::string& model) {
  return std::filesystem::path(model).extension() == ".json";
}

bool is_model_description(const std::string& model) {
  return is_json_file(model) || std::filesystem::path(model).extension() == ".safetensors";
}

bool names_run(const std::string& model) {
  std::error_code ignored;
  return !nn::in_zoo(model) && std::filesystem::is_directory(model, ignored);
}

bool json_says_preprocessing(const std::string& model) {
  return stated_preprocessing(model).has_value();
}

bool says_orientation(const std::string& model) {
  if (!is_json_file(model)) return !nn::in_zoo(model);
  const auto stated = stated_preprocessing(model);
  return stated && stated->contains("exif_orientation");
}

nn::Model read_model_description(const std::string& path) {
  return is_json_file(path) ? read_model_json(path) : read_model(model_file(path));
}

nn::Model read_model_json(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = read_file(path);
  try {
    return nn::model_from_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  } catch (const Error& error) {
    throw Error(concat(path.string(), ": ", error.what()));
  }
}

Shape parse_sample_shape(const std::string& text, const char* option) {
  std::vector<std::int64_t> extents;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, 'x');) {
    std::int64_t extent = 0;
    const auto read = std::from_chars(part.data(), part.data() + part.size(), extent);
    const bool is_whole = read.ec == std::errc{} && read.ptr == part.data() + part.size();
    extents.push_back(is_whole && extent <= 1 << 24 ? extent : 0);
  }
  const bool is_positive =
      std::all_of(extents.begin(), extents.end(), [](std::int64_t e) { return e >= 1; });
  if (!is_positive || (extents.size() != 1 && extents.size() != 3) || text.back() == 'x') {
    throw UsageError(concat(
        option, " must be HxWxC or a number of features, as in 150x150x3, not '", text, "'"));
  }
  return extents.size() == 1 ? Shape{extents[0]} : Shape{extents[0], extents[1], extents[2]};
}

std::filesystem::path model_file(const std::string& model) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(model, error);
  if (!std::filesystem::exists(status)) {
    throw Error(concat(model, ": no such model file or run directory"));
  }
  if (!std::filesystem::is_directory(status)) return model;
  const std::filesystem::path file = std::filesystem::path(model) / kModelFile;
  if (!std::filesystem::exists(file, error)) {
    throw Error(concat(model, ": holds no ", kModelFile,
                       "; give a run directory of 'millrace train' or a model file"));
  }
  return file;
}

SavedModel load_trained_model(const std::string& command, const std::string& model) {
  if (model.empty()) {
    throw UsageError(concat(command, ": no MODEL; give a model.safetensors or a run directory"));
  }
  return load_model(model_file(model));
}

bool names_zoo_model(const std::string& word) {
  std::error_code ignored;
  return nn::in_zoo(word) && !std::filesystem::exists(word, ignored);
}

nn::Model describe_model(const std::string& command, const std::string& model, const Shape& input,
                         std::int64_t outputs) {
  if (names_zoo_model(model)) {
    if (input.rank() == 0 || outputs < 1) {
      throw UsageError(concat(
          command, ": the model '", model, "' needs ", input.rank() == 0 ? "--input HxWxC" : "",
          input.rank() == 0 && outputs < 1 ? " and " : "", outputs < 1 ? "--outputs K" : ""));
    }
    return nn::zoo_model(model, input, outputs);
  }
  if (is_json_file(model)) return read_model_json(model);
  return load_trained_model(command, model).model;
}

std::vector<std::string> class_names(const nn::Model& model) {
  if (!model.classes.empty() || !model.targets.empty()) return model.classes;
  std::vector<std::string> names;
  const std::int64_t width = output_width(model);
  for (std::int64_t i = 0; i < (width == 1 ? 2 : width); ++i) names.push_back(std::to_string(i));
  return names;
}

std::int64_t output_width(const nn::Model& model) {
  return nn::summarize(model).back().output.elements();
}

}  // namespace millrace
