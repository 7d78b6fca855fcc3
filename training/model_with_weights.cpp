#include <millrace/training/model_with_weights.h>

#include <millrace/core/error.h>
#include <millrace/io/class_names.h>
#include <millrace/io/weight_file.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nn/weight_layout.h>
#include <millrace/nn/zoo/zoo.h>
#include <millrace/training/find_model.h>
#include <millrace/training/outputs.h>
#include <millrace/training/pretrained.h>
#include <millrace/training/transfer.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <utility>

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kUsualSide = 224;  // of networks for ImageNet
constexpr std::int64_t kUsualOutputs = 1000;
constexpr std::int64_t kSideStep = 32, kMostSide = 1024;
constexpr std::int64_t kColours = 3;

/// What a file of weights tells of the model that it is of.
class Weights {
 public:
  explicit Weights(const ModelSpec& o)
      : file_(weights_file(o.weights)), options_{o.ignore_layers, o.flatten_order} {
    if (holds_model(file_.metadata())) theirs_ = read_model(file_.path());
  }

  [[nodiscard]] std::string path() const { return file_.path().string(); }
  [[nodiscard]] const PretrainedOptions& options() const { return options_; }
  /// The model of ours in the file, if there is one.
  [[nodiscard]] const std::optional<nn::Model>& model() const { return theirs_; }
  /// Whether all weights of the model are there.
  [[nodiscard]] bool fill(const nn::Model& model) const {
    try {
      return match_weights(file_, model, model.layers.size(), options_).missing.empty();
    } catch (const UsageError&) {
      throw;  // of the options
    } catch (const Error&) {
      return false;
    }
  }
  /// Numbers of outputs that the last layer may have, the likelier first.
  [[nodiscard]] std::vector<std::int64_t> possible_outputs() const;

 private:
  WeightFile file_;
  PretrainedOptions options_;
  std::optional<nn::Model> theirs_;
};

std::vector<std::int64_t> Weights::possible_outputs() const {
  std::vector<std::int64_t> all{kUsualOutputs};
  const auto add = [&all](std::int64_t extent) {
    if (extent >= 1 && std::find(all.begin(), all.end(), extent) == all.end()) {
      all.push_back(extent);
    }
  };
  for (auto tensor = file_.tensors().rbegin(); tensor != file_.tensors().rend(); ++tensor) {
    if (tensor->shape.rank() == 0) continue;
    add(tensor->shape[0]);   // PyTorch's kernels, and biases
    add(tensor->shape[-1]);  // Keras's kernels
  }
  return all;
}

Shape square(std::int64_t side) {
  return {side, side, kColours};
}

/// A model of the zoo that the file fills; nothing where it does not, or where the input is too
/// small for such a model.
std::optional<nn::Model> filled(const std::string& name, const Shape& input, std::int64_t outputs,
                                const Weights& weights) {
  std::optional<nn::Model> model;
  try {
    model = nn::zoo_model(name, input, outputs);
  } catch (const Error&) {
    return std::nullopt;
  }
  return weights.fill(*model) ? model : std::nullopt;
}

/// The same with as many outputs as the file has.
std::optional<nn::Model> filled(const std::string& name, const Shape& input,
                                const Weights& weights) {
  for (const std::int64_t outputs : weights.possible_outputs()) {
    if (auto model = filled(name, input, outputs, weights)) return model;
  }
  return std::nullopt;
}

bool sees_fixed_size(const nn::Model& model) {
  const std::vector<Shape> images = nn::flattened_images(model);
  return std::any_of(images.begin(), images.end(),
                     [](const Shape& image) { return image.rank() == 3; });
}

std::string size_text(std::int64_t side) {
  return concat(side, 'x', side);
}

/// A model of the zoo with the input and the outputs that weights fit, and why that input.
struct Fitted {
  nn::Model model;
  std::string why;
};

/// Where weights do not fit the usual input of a model whose dense layers tell its size.
std::optional<Fitted> fit_other_size(const std::string& command, const std::string& name,
                                     const Weights& weights) {
  std::optional<nn::Model> model;
  std::int64_t first = 0;
  for (std::int64_t side = kSideStep; side <= kMostSide && !model; side += kSideStep) {
    model = filled(name, square(side), weights);
    first = side;
  }
  if (!model) return std::nullopt;
  const std::int64_t outputs = output_width(*model);
  std::int64_t last = first;
  while (filled(name, square(first - 1), outputs, weights)) --first;
  while (filled(name, square(last + 1), outputs, weights)) ++last;
  if (first == last) return Fitted{*std::move(model), "the one that the weights fit"};
  throw UsageError(concat(command, ": ", weights.path(), ": the weights fit '", name,
                          "' with any input from ", size_text(first), " to ", size_text(last),
                          "; say which they were trained with: --size ", last));
}

Fitted fit_zoo_model(const std::string& command, const ModelRequest& request,
                     const Weights& weights) {
  const std::string& name = request.model.name;
  if (weights.model() && !request.size) {
    const nn::Model& theirs = *weights.model();
    return {nn::zoo_model(name, theirs.input, output_width(theirs)), "that of the file"};
  }
  const Shape input = request.size ? Shape{request.size->height, request.size->width, kColours}
                                   : square(kUsualSide);
  nn::Model usual = nn::zoo_model(name, input, kUsualOutputs);
  const bool is_fixed = sees_fixed_size(usual);
  if (auto model = filled(name, input, weights)) {
    return {*std::move(model), request.size ? "as asked"
                               : is_fixed   ? "which the weights fit"
                                            : "as is usual; --size sets another"};
  }
  if (!request.size && is_fixed) {
    if (auto other = fit_other_size(command, name, weights)) return *std::move(other);
  }
  return {std::move(usual), ""};  // its reader says what does not fit
}

/// Throws UsageError unless the name can be that of a model that `weights` are for.
void check_takes_weights(const std::string& command, const ModelSpec& o) {
  std::error_code ignored;
  if (is_json_file(o.name) || is_zoo_name(o.name)) return;
  if (fs::exists(o.name, ignored)) {
    throw UsageError(concat(command, ": ", o.name,
                            ": has its own weights, if it is a trained model; leave out --weights, "
                            "or name the model that they are for: vgg16, a JSON file"));
  }
  (void)nn::zoo_model(o.name, square(kUsualSide), kUsualOutputs);  // says which there are
}

/// What becomes of pixels, and how that is known.
std::string take_preprocessing(const std::string& command, const ModelRequest& request,
                               const Pretrained& weights, bool is_ours, nn::Model& model) {
  nn::Preprocessing& own = model.preprocessing;
  const bool is_json = is_json_file(request.model.name);
  if (!is_json) own.scale = nn::default_preprocessing(model.input).scale;
  const bool is_image = model.input.rank() == 3;
  if (!is_json || own == nn::Preprocessing{}) own.exif_orientation = is_image;
  if (!request.preprocessing.empty()) {
    if (!is_image) {
      throw UsageError(concat(command, ": --preprocessing is for images; leave it out"));
    }
    own = nn::with_reading_of(own, nn::preprocessing_named(request.preprocessing, model.input[-1]));
    return "as asked";
  }
  if (json_says_preprocessing(request.model.name)) return concat("of ", request.model.name);
  if (weights.preprocessing()) {
    // A model of ours says how images are read too.
    const nn::Preprocessing& known = *weights.preprocessing();
    own = is_ours ? known : nn::with_reading_of(own, known);
    if (known.filter != nn::Preprocessing{}.filter) own.filter = known.filter;
    return weights.known_as().empty() ? "that of the file" : concat("of ", weights.known_as());
  }
  return "the file does not say with what input its weights were trained; --preprocessing sets "
         "it";
}

/// The names that go with a published file, or those and the form of tables that a model of ours in
/// the file has.
void take_names(const Pretrained& known, const Weights& weights, nn::Model& model) {
  const auto width = static_cast<std::int64_t>(known.classes().size());
  if (width > 0 && width == output_width(model)) model.classes = known.classes();
  if (!weights.model() || output_width(*weights.model()) != output_width(model)) return;
  model.classes = weights.model()->classes;
  model.targets = weights.model()->targets;
  model.table = weights.model()->table;
}

/// Throws Error unless every weight of the model is in the file.
void check_whole(const Pretrained& weights, const Weights& file, const nn::Model& model) {
  if (weights.missing().empty()) return;
  const std::string& first = weights.missing().front();
  throw Error(concat(file.path(), ": ", weights.why_missing(first), ", which '", model.name,
                     "' needs; give a file with all weights, or train a new end of the network: "
                     "millrace train DATA --model ",
                     model.name, " --weights FILE --head gap,dense"));
}

ModelWithWeights with_weights(const std::string& command, const ModelRequest& request) {
  check_takes_weights(command, request.model);
  const Weights file(request.model);
  const bool is_json = is_json_file(request.model.name);
  if (is_json && request.size) {
    throw UsageError(
        concat(command, ": ", request.model.name, " says what its input is; leave out --size"));
  }
  Fitted fitted = is_json ? Fitted{read_model_json(request.model.name), "of the model"}
                          : fit_zoo_model(command, request, file);
  ModelWithWeights result{{std::move(fitted.model), {}}, {}};
  nn::Model& model = result.saved.model;
  const Pretrained weights(file.path(), model, model.layers.size(), file.options());
  check_whole(weights, file, model);
  result.saved.parameters.resize(
      static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  weights.load(result.saved.parameters);
  const std::string how =
      take_preprocessing(command, request, weights, file.model().has_value(), model);
  if (model.classes.empty() && model.targets.empty()) take_names(weights, file, model);
  nn::validate(model);
  result.notes = {concat("weights of ", weights.report()),
                  concat("input ", model.input, " (", fitted.why, "), ",
                         nn::describe(model.preprocessing), " (", how, ")")};
  return result;
}

}  // namespace

ModelWithWeights open_model(const std::string& command, const ModelRequest& request) {
  const std::string& name = request.model.name;
  if (!request.model.weights.empty()) return with_weights(command, request);
  if (names_zoo_model(name) || is_json_file(name)) {
    throw UsageError(
        concat(command, ": ", name, " is a model without weights; give them: ", "--weights FILE"));
  }
  return {load_trained_model(command, name)};
}

void name_classes(const std::string& command, const std::vector<std::string>& names,
                  nn::Model& model) {
  if (names.empty()) return;
  const auto refuse = [&](const auto&... what) {
    throw UsageError(concat(command, ": --class-names ", what...));
  };
  if (!model.targets.empty()) refuse("gives names to classes, and the model gives targets");
  const std::vector<std::string> own = class_names(model);
  if (!are_numbers(own)) {
    refuse("gives names to classes that are numbers; the model's are called ", list_of_names(own));
  }
  if (names.size() != own.size()) {
    refuse("has ", names.size(), " names, and the model ", own.size(), " classes");
  }
  // A class that is a number may stand at another place than that.
  std::vector<std::string> called;
  for (const std::string& number : own) {
    const bool is_short = number.size() < 10;
    const std::size_t place = is_short ? std::stoul(number) : names.size();
    if (place >= names.size()) refuse("has no name for the class ", number);
    called.push_back(names[place]);
  }
  model.classes = std::move(called);
  nn::validate(model);
}

}  // namespace millrace
