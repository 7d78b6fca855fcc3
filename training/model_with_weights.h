#pragma once
// A model that can be asked at once: a trained one from its file, or one that is named, with the
// weights of another file and nothing to train.
//
//   const ModelWithWeights vgg =
//       open_model("my program", {.model = {.name = "vgg16", .weights = "vgg16.safetensors"}});
//   const PredictionSession session(cpu::make_engine(), vgg.saved, photos);

#include <millrace/training/saved_model.h>
#include <millrace/training/train_spec.h>

#include <optional>
#include <string>
#include <vector>

namespace millrace {

/// What is to be opened. All but the name of the model belongs to `model.weights`.
struct ModelRequest {
  /// The name is a model file or a run directory or, with weights, a model of the zoo or a JSON
  /// file. Of the rest, what is about the file of weights counts.
  ModelSpec model{};
  std::optional<ImageSize> size{};  ///< of the input; none: see open_model()
  std::string preprocessing{};      ///< as ImageSpec has it; empty: see open_model()
};

struct ModelWithWeights {
  SavedModel saved;
  /// What was chosen, a line each: which weights fit, the input and what is known of it. Empty for
  /// a trained model, which says all of it itself.
  std::vector<std::string> notes{};
};

/// Opens it. With weights, of a model of the zoo:
/// - the outputs are as many as the file has;
/// - the input is `size`, else that of the model in the file, else 224x224 where the weights fit
///   that, as those for ImageNet do, else the one size that they fit;
/// - pixels become input as `preprocessing` says, else the model's JSON, else the file, else they
///   are divided by 255, as in training;
/// - classes have the names that the file knows.
/// Throws UsageError, beginning with the command: no such model, weights that are missing or not
/// wanted, a size that only the user can know. Throws Error: as load_model() and Pretrained do, and
/// where the file has no weights for a layer.
[[nodiscard]] ModelWithWeights open_model(const std::string& command, const ModelRequest& request);

/// Gives names to classes that have none but numbers. Throws UsageError, beginning with the
/// command: they have names, the model has targets, or there are more or fewer names than classes.
void name_classes(const std::string& command, const std::vector<std::string>& names,
                  nn::Model& model);

}  // namespace millrace
