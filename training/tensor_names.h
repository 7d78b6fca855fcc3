#pragma once
// Names of a weight file for comparison with those of a model: without the prefixes of wrappers,
// and by layer.

#include <millrace/io/weight_file.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// "features.0.weight" -> "features.0", and of Keras "fc1/kernel" -> "fc1".
[[nodiscard]] std::string_view layer_of(std::string_view tensor);

/// What timm calls a parameter of torchvision's VGG: "pre_logits.fc1.weight" for
/// "classifier.0.weight"; empty for all that it calls the same.
[[nodiscard]] std::string timm_name(std::string_view name);

/// Whether it is more than a count of steps or a whitening matrix.
[[nodiscard]] bool is_weight(std::string_view tensor);

/// "a, b, c", of many the first six: "a, b, c, d, e, f and 3 more".
[[nodiscard]] std::string list_of(const std::vector<std::string>& names);

/// Names as they are; where none is the model's, both sides without the prefixes of wrappers.
class TensorNames {
 public:
  TensorNames() = default;
  /// `own`: names of the model's parameters. The file must live as long.
  TensorNames(const WeightFile& file, const std::vector<std::string>& own);

  /// The prefix that is taken off the file's names; empty for none.
  [[nodiscard]] const std::string& prefix() const noexcept { return prefix_; }
  [[nodiscard]] std::string_view bare(std::size_t tensor) const;
  /// The name under which a parameter of the model is looked for.
  [[nodiscard]] std::string own(const std::string& parameter) const;
  /// Layers of the file with weights, or that our models do not have, in its order.
  [[nodiscard]] std::vector<std::string> layers() const;
  /// Those, and all tensors.
  [[nodiscard]] std::set<std::string> layers_and_tensors() const;

 private:
  [[nodiscard]] std::string wrapper_of_some(const std::vector<std::string>& own_names) const;

  const WeightFile* file_ = nullptr;
  std::string prefix_, own_prefix_;
};

}  // namespace millrace
