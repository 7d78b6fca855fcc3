#include <millrace/training/model_with_weights.h>

#include <millrace/core/error.h>
#include <millrace/io/class_names.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nn/zoo/zoo.h>
#include <millrace/training/find_model.h>
#include <millrace/training/outputs.h>
#include <millrace/training/pretrained.h>
#include <millrace/training/transfer.h>

#include <filesystem>
#include <utility>

namespace millrace {
namespace {

namespace fs = std::filesystem;

/// As it is asked for, with as many channels as the model of ours in the file, if there is one.
Fitting fitting(const std::string& command, const ModelRequest& request,
                const WeightsOfModel& weights) {
  Fitting asked{.command = command, .name = request.model.name};
  asked.options_for = [](const nn::Model& model) { return concat("--size ", model.input[0]); };
  if (request.size) {
    const bool has_images = weights.model() && weights.model()->input.rank() == 3;
    const std::int64_t channels = has_images ? weights.model()->input[2] : 3;
    asked.input = Shape{request.size->height, request.size->width, channels};
  }
  return asked;
}

FittedModel fit(const std::string& command, const ModelRequest& request,
                const WeightsOfModel& weights) {
  const Fitting asked = fitting(command, request, weights);
  if (auto fitted = fit_zoo_model(asked, weights)) return *std::move(fitted);
  return {usual_zoo_model(asked), ""};  // its reader says what does not fit
}

/// Throws UsageError unless the name can be that of a model that `weights` are for.
void check_takes_weights(const std::string& command, const ModelSpec& o) {
  std::error_code ignored;
  if (is_json_file(o.name) || nn::in_zoo(o.name)) return;
  if (fs::exists(o.name, ignored)) {
    throw UsageError(concat(command, ": ", o.name,
                            ": has its own weights, if it is a trained model; leave out --weights, "
                            "or name the model that they are for: vgg16, a JSON file"));
  }
  (void)usual_zoo_model({.command = command, .name = o.name});  // says which there are
}

/// What becomes of pixels, and how that is known.
std::string take_asked_preprocessing(const std::string& command, const ModelRequest& request,
                                     const Pretrained& weights, nn::Model& model) {
  take_preprocessing(request.model.name, &weights, model);
  nn::Preprocessing& own = model.preprocessing;
  if (!request.preprocessing.empty()) {
    if (model.input.rank() != 3) {
      throw UsageError(concat(command, ": --preprocessing is for images; leave it out"));
    }
    own = nn::with_reading_of(own, nn::preprocessing_named(request.preprocessing, model.input[-1]));
    return "as asked";
  }
  if (json_says_preprocessing(request.model.name)) return concat("of ", request.model.name);
  if (weights.preprocessing()) {
    return weights.known_as().empty() ? "that of the file" : concat("of ", weights.known_as());
  }
  return "the file does not say with what input its weights were trained; --preprocessing sets "
         "it";
}

/// Throws Error unless every weight of the model is in the file.
void check_whole(const Pretrained& weights, const WeightsOfModel& file, const nn::Model& model) {
  if (weights.missing().empty()) return;
  const std::string& first = weights.missing().front();
  throw Error(concat(file.path().string(), ": ", weights.why_missing(first), ", which '",
                     model.name,
                     "' needs; give a file with all weights, or train a new end of the network: "
                     "millrace train DATA --model ",
                     model.name, " --weights FILE --head gap,dense"));
}

ModelWithWeights with_weights(const std::string& command, const ModelRequest& request) {
  check_takes_weights(command, request.model);
  const WeightsOfModel file(weights_file(request.model.weights),
                            {request.model.ignore_layers, request.model.flatten_order});
  const bool is_json = is_json_file(request.model.name);
  if (is_json && request.size) {
    throw UsageError(
        concat(command, ": ", request.model.name, " says what its input is; leave out --size"));
  }
  FittedModel fitted = is_json ? FittedModel{read_model_json(request.model.name), "of the model"}
                               : fit(command, request, file);
  ModelWithWeights result{{std::move(fitted.model), {}}, {}};
  nn::Model& model = result.saved.model;
  const Pretrained weights(file.path(), model, model.layers.size(), file.options());
  check_whole(weights, file, model);
  result.saved.parameters.resize(
      static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  weights.load(result.saved.parameters);
  const std::string how = take_asked_preprocessing(command, request, weights, model);
  take_names(weights, file, model);
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

void take_names(const Pretrained& weights, const WeightsOfModel& file, nn::Model& model) {
  if (!model.classes.empty() || !model.targets.empty()) return;
  const auto width = static_cast<std::int64_t>(weights.classes().size());
  if (width > 0 && width == output_width(model)) model.classes = weights.classes();
  if (!file.model() || output_width(*file.model()) != output_width(model)) return;
  model.classes = file.model()->classes;
  model.targets = file.model()->targets;
  model.table = file.model()->table;
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
