#pragma once
// Which tensor of a weight file belongs to which parameter of a model, decided by names, places
// and shapes before a number is read. pretrained.h has the rules.

#include <millrace/io/weight_file.h>
#include <millrace/nn/model.h>
#include <millrace/nn/weight_layout.h>
#include <millrace/training/saved_model.h>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace millrace {

struct PretrainedOptions {
  /// Layers of the file that are left out, although the model has no counterpart: names as the file
  /// has them, "normalization", or "bn1" of "bn1.weight"; or single tensors, "conv1.bias".
  std::vector<std::string> ignored{};
  /// The order of the inputs of a dense layer after a flatten in a file of PyTorch. None: channels
  /// first, as PyTorch flattens its images, [channel][row][column].
  std::optional<FlattenOrder> flatten{};
};

struct WeightMatch {
  struct Assignment {
    nn::Parameter parameter;
    std::size_t tensor = 0;  ///< index into WeightFile::tensors()
    nn::WeightLayout layout;
  };
  std::vector<Assignment> assignments;
  /// Names of the model's parameters and of the file's tensors.
  std::vector<std::string> matched, missing, left_over;
  std::map<std::string, std::string> unfit;  ///< of `missing`: the tensor that has another shape
  std::vector<std::string> reordered;        ///< layers whose inputs come in PyTorch's order
  std::string prefix;                        ///< that was taken off the names of the file
  bool are_by_layer_names = false;           ///< of Keras: layers by their names, not their places
};

/// As the constructor of Pretrained.
[[nodiscard]] WeightMatch match_weights(const WeightFile& file, const nn::Model& model,
                                        std::size_t layers, const PretrainedOptions& options);

}  // namespace millrace
