#pragma once
// A trained model in one file: safetensors with the weights under PyTorch's names and the model's
// JSON in the metadata, so that evaluate and predict see what training saw.

#include <millrace/nn/model.h>

#include <filesystem>
#include <span>
#include <vector>

namespace millrace {

struct SavedModel {
  nn::Model model;
  std::vector<float> parameters;  ///< as nn::Executor::write(Arena::parameters) wants them
};

/// Writes beside and renames: the file is whole or not there. A fitted whitening matrix is the
/// tensor "preprocessing.whitening". Throws Error (disk; whitening that was not fitted).
void save_model(const std::filesystem::path& path, const nn::Model& model,
                std::span<const float> parameters);

/// Throws Error naming the file: not safetensors, no model in it, a tensor that is missing or of
/// another shape than the model says, tensors that the model does not have.
[[nodiscard]] SavedModel load_model(const std::filesystem::path& path);

}  // namespace millrace
