#include "apps/convert/convert_weights.h"

#include "apps/convert/output_file.h"

#include <millrace/core/error.h>
#include <millrace/core/plural.h>
#include <millrace/core/shown_text.h>
#include <millrace/io/watch.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/training/find_model.h>
#include <millrace/training/fit_model.h>
#include <millrace/training/model_with_weights.h>
#include <millrace/training/option_text.h>
#include <millrace/training/transfer.h>

#include <iostream>
#include <optional>
#include <utility>
#include <vector>

namespace millrace::apps {
namespace {

/// A model of the zoo with the input and outputs that the weights fit.
nn::Model fitted_model(const std::string& name, const std::optional<Shape>& input,
                       std::int64_t outputs, const WeightsOfModel& weights) {
  const Fitting asked{.command = "convert weights",
                      .name = name,
                      .input = input,
                      .outputs = outputs,
                      .options_for = [](const nn::Model& model) {
                        return concat("--model ", model.name, " --input ", model.input,
                                      " --outputs ", output_width(model));
                      }};
  if (auto fitted = fit_zoo_model(asked, weights)) return std::move(fitted->model);
  if (outputs == 0) {
    if (auto features = fit_features(asked, weights)) return *std::move(features);
  }
  return usual_zoo_model(asked);  // its reader says what does not fit
}

nn::Model model_of(const ConvertWeightsOptions& o, const WeightsOfModel& weights) {
  if (o.model.empty() && weights.model()) return *weights.model();
  const std::string name = o.model.empty() ? weights.network() : o.model;
  if (name.empty()) {
    throw UsageError(concat("convert weights: ", weights.path().string(),
                            ": not known as weights of a published network; name their model, as "
                            "in --model cnn --input 150x150x3 --outputs 2"));
  }
  std::optional<Shape> input;
  if (!o.input.empty()) input = parse_sample_shape(o.input, "convert weights: --input");
  if (names_zoo_model(name)) return fitted_model(name, input, o.outputs, weights);
  return describe_model("convert weights", name, input.value_or(Shape{}), o.outputs);
}

}  // namespace

void convert_weights(const ConvertWeightsOptions& o, const std::stop_token& stop) {
  const Watch watch{{}, stop};
  const WeightsOfModel file(weights_file(o.from), o.pretrained);
  check_output_file("convert weights", file.path(), o.to, o.overwrite);
  nn::Model model = model_of(o, file);
  const Pretrained weights(file.path(), model, model.layers.size(), o.pretrained);
  if (!weights.missing().empty()) {
    throw Error(concat(file.path().string(), ": ", weights.why_missing(weights.missing().front()),
                       "; the model '", model.name, "' needs all its weights"));
  }
  std::vector<float> arena(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  watch.at(0);
  weights.load(arena);
  const bool is_known = o.model.empty() && !file.model();  // so it is one of the zoo
  take_preprocessing(is_known ? model.name : o.model, &weights, model);
  const bool is_told = json_says_preprocessing(o.model) || weights.preprocessing();
  if (!o.classes.empty()) model.classes.clear();
  name_classes("convert weights", o.classes, model);
  take_names(weights, file, model);
  watch.at(0);
  save_model(o.to, model, arena, FlattenOrder::channels_first);
  if (o.quiet) return;
  std::cout << weights.report() << '\n'
            << shown(o.to) << ": model '" << model.name << "', input " << model.input << ", "
            << weights.matched().size() << ' ' << plural(weights.matched().size(), "tensor")
            << "; pixels " << nn::describe(model.preprocessing)
            << (is_told ? ""
                        : " (the file does not say; set \"preprocessing\" in a JSON file for "
                          "--model)")
            << '\n';
}

}  // namespace millrace::apps
