#pragma once
// Which model of the zoo a file of weights is of: the input and the outputs that its tensors fit.

#include <millrace/io/weight_file.h>
#include <millrace/nn/model.h>
#include <millrace/training/weight_matching.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace millrace {

/// A file of weights, and what it says of the model that it is of.
class WeightsOfModel {
 public:
  /// Throws Error as WeightFile and read_model() do.
  WeightsOfModel(const std::filesystem::path& path, PretrainedOptions options);

  [[nodiscard]] const std::filesystem::path& path() const { return file_.path(); }
  [[nodiscard]] const PretrainedOptions& options() const { return options_; }
  /// The model of ours in the file, if there is one.
  [[nodiscard]] const std::optional<nn::Model>& model() const { return theirs_; }
  /// The network of the zoo that the file is known to be of, "vgg16"; empty if it is not known.
  [[nodiscard]] std::string network() const;
  /// Whether all weights of the model are there. Throws UsageError for options of no use.
  [[nodiscard]] bool fits(const nn::Model& model) const;
  /// Numbers of outputs that the last layer may have, the likelier first.
  [[nodiscard]] std::vector<std::int64_t> possible_outputs() const;

 private:
  WeightFile file_;
  PretrainedOptions options_;
  std::optional<nn::Model> theirs_;
};

/// What is asked of a model of the zoo, and by which command.
struct Fitting {
  std::string command;  ///< with which errors begin
  std::string name;     ///< of the zoo
  std::optional<Shape> input{};
  std::int64_t outputs = 0;  ///< 0: as many as the file has
  /// The options of the command that ask for the input that a model has.
  std::function<std::string(const nn::Model&)> options_for{};
};

/// A model of the zoo with the input and the outputs that weights fit, and why that input.
struct FittedModel {
  nn::Model model;
  std::string why;
};

/// The input is the one that is asked for, else that of the model in the file, else 224x224 where
/// the weights fit that, as those for ImageNet do, else the one size that they fit; the outputs are
/// those asked for or of the file. Nothing if the weights do not fit such a model. Throws
/// UsageError: several sizes fit, or the network cannot take images of this size.
[[nodiscard]] std::optional<FittedModel> fit_zoo_model(const Fitting& asked,
                                                       const WeightsOfModel& weights);

/// What fit_zoo_model() tries first, so that a reader of weights can say what does not fit it.
[[nodiscard]] nn::Model usual_zoo_model(const Fitting& asked);

/// The network without its head, for a file that has no weights of it (Keras's "notop"). Nothing if
/// the file does not fit it.
[[nodiscard]] std::optional<nn::Model> fit_features(const Fitting& asked,
                                                    const WeightsOfModel& weights);

}  // namespace millrace
