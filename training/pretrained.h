#pragma once
// Loads pretrained weights into a model: from a file of Keras (.h5, .keras), of PyTorch (.pth
// or safetensors, names of torchvision or timm) or of Millrace. What fits is loaded, what the
// file lacks keeps its first values, and what is left over is reported.

#include <millrace/io/weight_file.h>
#include <millrace/nn/model.h>
#include <millrace/training/weight_matching.h>

#include <cstddef>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace millrace {

struct KnownWeights;
struct PublishedModel;

/// Keras's layers are matched by their names, or by place (keras_pairs.h): the n-th convolution
/// with the n-th convolution, and so for dense layers and batch norms. The others are matched by
/// name; timm's names of VGG's dense layers are known, and prefixes that wrappers of models put
/// before all names (module., model., _orig_mod.) are removed. Kernels are transposed and flattened
/// inputs reordered as the file's library requires.
///
///   const Pretrained weights("vgg16.h5", model);
///   nn::initialize(model, seed, arena);
///   weights.load(arena);
///
/// Thread safety: none; one thread at a time.
class Pretrained {
 public:
  /// Decides what goes where; reads no weights. `layers`: the file is for this many of the model's
  /// first layers; later ones (a new head) are not touched.
  ///
  /// Throws Error naming the file: it cannot be read, nothing in it fits, or it is of another
  /// model: a tensor is missing or has another shape while one of a later layer fits. Only the last
  /// layers may be missing, and the last one may have another shape: another number of classes. Or
  /// the file has layers without a counterpart in the model, such as a normalisation, a PReLU or an
  /// activation that is not here, before one that is used: the outputs would differ. Which layer
  /// comes before which is known if the file is in order; else only what must come last (dense
  /// layers, convolutions if no dense layer is used) may be left over. Where names match,
  /// nothing may be left over once all of the model is found, unless `layers` says that its head is
  /// new. `options.ignored` names layers that may be left out even so. Throws UsageError for
  /// options that the file has no use for.
  Pretrained(const std::filesystem::path& path, const nn::Model& model,
             std::size_t layers = std::numeric_limits<std::size_t>::max(),
             const PretrainedOptions& options = {});

  /// Writes what matched into an arena of the model's parameters. Throws Error (disk, a damaged
  /// file, a weight that is not a finite number).
  void load(std::span<float> arena) const;

  /// Names of the model's parameters and of the file's tensors.
  [[nodiscard]] const std::vector<std::string>& matched() const noexcept { return match_.matched; }
  [[nodiscard]] const std::vector<std::string>& missing() const noexcept { return match_.missing; }
  [[nodiscard]] const std::vector<std::string>& left_over() const noexcept {
    return match_.left_over;
  }
  /// "Keras", "PyTorch" or "Millrace".
  [[nodiscard]] const char* source() const noexcept { return source_; }
  /// Why a parameter is in missing(): "'dense1.weight' is 10x128 in the file, 5x128 in the model",
  /// or "it has no 'dense1.weight'".
  [[nodiscard]] std::string why_missing(const std::string& parameter) const;
  /// What the weights were trained with: that of a model of ours, of a published file
  /// (known_weights.h) or of a published model (published_weights.h); empty for all others, which
  /// do not tell.
  [[nodiscard]] const std::optional<nn::Preprocessing>& preprocessing() const noexcept {
    return preprocessing_;
  }
  /// `own`, and over it what is known of the weights' preprocessing: of a model of ours all of it;
  /// of published weights the numbers, and the filter of resizing where that is known; else
  /// nothing.
  [[nodiscard]] nn::Preprocessing preprocessing_over(const nn::Preprocessing& own) const;
  /// The published model that they are of, "torchvision's VGG16"; empty for others.
  [[nodiscard]] const std::string& known_as() const noexcept { return known_as_; }
  /// By what it is known: "its hash", "names and shapes".
  [[nodiscard]] const std::string& known_by() const noexcept { return known_by_; }
  /// The names of the model's outputs, where the file is known and all of the model is from it;
  /// else empty.
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept { return classes_; }
  /// For the user, a line or a few: what matched, what is new, what is not used.
  [[nodiscard]] std::string report() const;

 private:
  void take_known(const KnownWeights& known);
  void take_published(const PublishedModel& published);

  std::shared_ptr<const WeightFile> file_;
  WeightMatch match_;
  std::string known_as_, known_by_;
  std::vector<std::string> classes_;
  std::optional<nn::Preprocessing> preprocessing_;
  bool knows_reading_ = false;         // all of how images are read
  std::optional<std::string> filter_;  // known without the rest
  const char* source_ = "";
};

}  // namespace millrace
