#pragma once
// A model that can be asked at once: a trained one from its file, or one that is named, with the
// weights of another file and nothing to train.
//
//   const ModelWithWeights vgg =
//       open_model("my program", {.model = {.name = "vgg16", .weights = "vgg16.safetensors"}});
//   const PredictionSession session(cpu::make_engine(), vgg.saved, photos);

#include <millrace/training/fit_model.h>
#include <millrace/training/pretrained.h>
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
/// - the input and the outputs are those of fit_zoo_model(), `size` has the channels of the model
/// in
///   the file, else 3;
/// - images are read, and pixels become input, as the model's JSON says, else the file, else as is
///   usual in training; `preprocessing` replaces what pixels become;
/// - classes have the names that the file knows.
/// Throws UsageError, beginning with the command: no such model, weights that are missing or not
/// wanted, a size that only the user can know. Throws Error: as load_model() and Pretrained do, and
/// where the file has no weights for a layer.
[[nodiscard]] ModelWithWeights open_model(const std::string& command, const ModelRequest& request);

/// Gives a model without names those that go with a published file, or those and the form of tables
/// that a model of ours in the file has. Requires: what `weights` is of lies in `file`.
void take_names(const Pretrained& weights, const WeightsOfModel& file, nn::Model& model);

/// Gives names to classes that have none but numbers. Throws UsageError, beginning with the
/// command: they have names, the model has targets, or there are more or fewer names than classes.
void name_classes(const std::string& command, const std::vector<std::string>& names,
                  nn::Model& model);

}  // namespace millrace
