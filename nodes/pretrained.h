#pragma once
// Weights that were trained before, put into a model: from a file of Keras (.h5, .weights.h5), of
// PyTorch (safetensors, names of torchvision or timm) or of Millrace. What fits is loaded, what the
// file lacks keeps its first values, and what is left over is told.

#include <millrace/io/weight_file.h>
#include <millrace/nn/model.h>
#include <millrace/nn/weight_layout.h>

#include <cstddef>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace millrace {

/// Keras's tensors are matched by place: the n-th convolution with the n-th convolution, and so for
/// dense layers and batch norms. The others are matched by name; timm's names of VGG's dense layers
/// are known. Kernels are transposed and flattened inputs reordered as the file's library wants.
///
///   const Pretrained weights("vgg16.h5", model);
///   nn::initialize(model, seed, arena);
///   weights.load(arena);
///
/// Thread safety: none; one thread at a time.
class Pretrained {
 public:
  /// Decides what goes where; reads no weights. `layers`: the file is for so many of the model's
  /// first layers, those behind them (a new head) are left alone.
  ///
  /// Throws Error naming the file: it cannot be read, nothing in it fits, or it is of another
  /// model: a tensor is missing or has another shape while one of a later layer fits. Only the last
  /// layers may be missing, and the last one may have another shape: another number of classes.
  Pretrained(const std::filesystem::path& path, const nn::Model& model,
             std::size_t layers = std::numeric_limits<std::size_t>::max());

  /// Writes what matched into an arena of the model's parameters. Throws Error (disk, a damaged
  /// file, a weight that is not a finite number).
  void load(std::span<float> arena) const;

  /// Names of the model's parameters and of the file's tensors.
  [[nodiscard]] const std::vector<std::string>& matched() const noexcept { return matched_; }
  [[nodiscard]] const std::vector<std::string>& missing() const noexcept { return missing_; }
  [[nodiscard]] const std::vector<std::string>& left_over() const noexcept { return left_over_; }
  /// "Keras", "PyTorch" or "Millrace".
  [[nodiscard]] const char* source() const noexcept { return source_; }
  /// What the weights were trained with: that of a model of ours, "caffe" for Keras's VGG, "torch"
  /// for PyTorch's; empty for other Keras files, which do not tell.
  [[nodiscard]] const std::optional<nn::Preprocessing>& preprocessing() const noexcept {
    return preprocessing_;
  }
  /// For people, a line or a few: what matched, what is new, what is not used.
  [[nodiscard]] std::string report() const;

 private:
  struct Assignment {
    nn::Parameter parameter;
    std::size_t tensor = 0;
    nn::WeightLayout layout;
  };
  friend class Matching;

  std::shared_ptr<const WeightFile> file_;
  std::vector<Assignment> assignments_;
  std::vector<std::string> matched_, missing_, left_over_;
  std::optional<nn::Preprocessing> preprocessing_;
  const char* source_ = "";
};

}  // namespace millrace
