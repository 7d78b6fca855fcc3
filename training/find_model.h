#pragma once
// Finds the model that the MODEL of a command names.

#include <millrace/nn/model.h>
#include <millrace/training/saved_model.h>

#include <filesystem>
#include <string>

namespace millrace {

/// "150x150x3" or "784" as the shape of a sample. Throws UsageError naming the command's option.
[[nodiscard]] Shape parse_sample_shape(const std::string& text, const char* option);

/// The file of a trained model: `model` itself, or model.safetensors in the run directory `model`.
/// Throws Error: nothing of this name, or a folder without a model.
[[nodiscard]] std::filesystem::path model_file(const std::string& model);

/// load_model(model_file(model)). Throws UsageError if the name is empty.
[[nodiscard]] SavedModel load_trained_model(const std::string& command, const std::string& model);

/// Whether the word names a JSON file.
[[nodiscard]] bool is_json_file(const std::string& model);

/// Whether the word names a run directory: a folder that is not a model of the zoo by its name.
[[nodiscard]] bool names_run(const std::string& model);

/// Whether the word names a JSON file that says how pixels become input, or leaves it out. Throws
/// Error if it cannot be read.
[[nodiscard]] bool json_says_preprocessing(const std::string& model);

/// Whether the model that the word names says if images are turned upright: one of the zoo does
/// not, a JSON file does if it has that key, a trained model does. Throws Error if it cannot be
/// read.
[[nodiscard]] bool says_orientation(const std::string& model);

/// Whether the word names a file that describes a model: JSON, or a model file.
[[nodiscard]] bool is_model_description(const std::string& model);

/// The model that such a file describes, without weights. Throws Error naming the file.
[[nodiscard]] nn::Model read_model_description(const std::string& path);

/// Reads a model's JSON. Throws Error naming the file and the key.
[[nodiscard]] nn::Model read_model_json(const std::filesystem::path& path);

/// Whether the word names a model of the zoo, and no file or folder.
[[nodiscard]] bool names_zoo_model(const std::string& word);

/// What the model of a command is without its weights: that of a trained model, of a JSON file, or
/// one of the zoo for `input` and `outputs`. Throws UsageError where those are needed and missing
/// (rank 0, 0).
[[nodiscard]] nn::Model describe_model(const std::string& command, const std::string& model,
                                       const Shape& input, std::int64_t outputs);

/// Names of the classes, in the order of the labels; "0", "1", ... where the model has none. Empty
/// for a model with targets.
[[nodiscard]] std::vector<std::string> class_names(const nn::Model& model);

/// Elements of the model's output.
[[nodiscard]] std::int64_t output_width(const nn::Model& model);

}  // namespace millrace
