#include <millrace/nn/model.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace millrace::nn {
namespace {

void check_names(const std::vector<Layer>& layers) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].name.empty()) throw Error(concat("layer ", i, " has no name"));
    if (!names.insert(layers[i].name).second) {
      throw Error(concat("layer ", i, ": the name '", layers[i].name, "' is taken"));
    }
  }
}

void check_constants(const char* what, const std::vector<float>& values, std::int64_t channels) {
  if (!values.empty() && static_cast<std::int64_t>(values.size()) != channels) {
    throw Error(concat("preprocessing.", what, ": expected one number for each of ", channels,
                       " channels, not ", values.size()));
  }
  for (const float value : values) {
    if (!std::isfinite(value)) throw Error(concat("preprocessing.", what, ": not a finite number"));
  }
}

void check_preprocessing(const Preprocessing& preprocessing, std::int64_t channels) {
  if (preprocessing.filter.empty()) throw Error("preprocessing.filter: expected a name");
  if (!std::isfinite(preprocessing.scale)) {
    throw Error("preprocessing.scale: expected a finite number");
  }
  check_constants("mean", preprocessing.mean, channels);
  check_constants("deviation", preprocessing.deviation, channels);
  const auto& deviation = preprocessing.deviation;
  if (std::any_of(deviation.begin(), deviation.end(), [](float d) { return d <= 0; })) {
    throw Error("preprocessing.deviation: expected positive numbers");
  }
}

void check_classes(const std::vector<std::string>& classes, const Shape& output) {
  if (classes.empty()) return;
  // One sigmoid tells two classes apart.
  const std::int64_t expected = output.elements() == 1 ? 2 : output.elements();
  if (static_cast<std::int64_t>(classes.size()) != expected) {
    throw Error(concat("classes: expected ", expected, " names for an output of ", output, ", not ",
                       classes.size()));
  }
  if (std::set<std::string_view>(classes.begin(), classes.end()).size() != classes.size()) {
    throw Error("classes: the same name twice");
  }
}

}  // namespace

void validate(const Model& model) {
  if (model.layers.empty()) throw Error(concat("the model '", model.name, "' has no layers"));
  check_names(model.layers);
  const Shape output = summarize(model).back().output;
  check_preprocessing(model.preprocessing, model.input[-1]);
  check_classes(model.classes, output);
}

}  // namespace millrace::nn
