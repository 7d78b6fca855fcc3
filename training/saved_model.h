#pragma once
// A trained model in one file: safetensors with the weights under PyTorch's names and the model's
// JSON in the metadata, so that evaluate and predict see what training saw.

#include <millrace/nn/model.h>

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace millrace {

class WeightFile;
namespace nn {
class Executor;
}

/// The name under which a saved model keeps a whitening matrix.
inline constexpr const char* kWhitening = "preprocessing.whitening";

/// The order of the inputs of a saved dense layer after a flatten: Millrace's,
/// [row][column][channel], or PyTorch's, [channel][row][column], so that PyTorch can use the file;
/// tensors of networks of the zoo then have torchvision's names and shapes. Both can be loaded.
enum class FlattenOrder { channels_last, channels_first };

struct SavedModel {
  nn::Model model;
  std::vector<float> parameters;  ///< as nn::Executor::write(Arena::parameters) takes them
};

/// Writes another file and renames it: it is whole or not there. A fitted whitening matrix is the
/// tensor "preprocessing.whitening". `averages`: of the trainable parameters, which are written
/// instead of them; or empty. Throws Error (disk; whitening that was not fitted).
void save_model(const std::filesystem::path& path, const nn::Model& model,
                std::span<const float> parameters, FlattenOrder order = FlattenOrder::channels_last,
                std::span<const float> averages = {});

/// The same of an executor: its model with the weights that it has, averages where it keeps them.
void save_model(const std::filesystem::path& path, nn::Executor& executor);

/// Throws Error naming the file: not safetensors, no model in it, a tensor that is missing or of
/// another shape than the model says, tensors that the model does not have.
[[nodiscard]] SavedModel load_model(const std::filesystem::path& path);

/// The model alone, without its weights. Throws Error as load_model() does.
[[nodiscard]] nn::Model read_model(const std::filesystem::path& path);

/// What the metadata of a safetensors file say: whether it holds a model of Millrace, and whether
/// inputs after a flatten are in its order, which those of other programs are not.
[[nodiscard]] bool holds_model(const std::map<std::string, std::string>& metadata);
[[nodiscard]] bool is_channels_last(const std::map<std::string, std::string>& metadata);

/// The preprocessing of the model that a file holds, whitening matrix included; empty if there is
/// no model. Throws Error naming the file.
[[nodiscard]] std::optional<nn::Preprocessing> saved_preprocessing(const WeightFile& file);

}  // namespace millrace
