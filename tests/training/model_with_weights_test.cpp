// Models that are named, with the weights of a file, and not trained.

#include "catch.h"
#include "io/scratch.h"
#include "nodes/numbered.h"

#include <millrace/io/files.h>
#include <millrace/io/safetensors.h>
#include <millrace/nn/initialize.h>
#include <millrace/nn/model_json.h>
#include <millrace/nn/reference/engine.h>
#include <millrace/nn/zoo/zoo.h>
#include <millrace/training/model_with_weights.h>
#include <millrace/training/prediction.h>

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

using namespace millrace;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

constexpr const char* kSmall = "cnn:2,3:4";

SavedModel of_zoo(const Shape& input, std::int64_t outputs) {
  SavedModel saved{nn::zoo_model(kSmall, input, outputs), {}};
  saved.parameters.resize(
      static_cast<std::size_t>(nn::arena_elements(nn::parameters(saved.model))));
  nn::initialize(saved.model, 7, saved.parameters);
  return saved;
}

/// As another program would have written them: tensors and nothing about a model.
std::string write_tensors(const fs::path& path, const SavedModel& saved) {
  std::vector<NamedTensor> tensors;
  for (const nn::Parameter& p : nn::parameters(saved.model)) {
    tensors.push_back({p.name, p.shape,
                       std::span(saved.parameters)
                           .subspan(static_cast<std::size_t>(p.offset),
                                    static_cast<std::size_t>(p.shape.elements()))});
  }
  write_safetensors(path, tensors);
  return path.string();
}

/// The rows of dense layers lie as the model flattens them.
ModelRequest named(const std::string& name, const std::string& weights) {
  return {
      .model = {.name = name, .weights = weights, .flatten_order = FlattenOrder::channels_last}};
}

std::vector<float> outputs_of(const SavedModel& saved) {
  const PredictionSession session(
      std::make_shared<const nn::ReferenceEngine>(), saved,
      SampleSet::all(std::make_shared<const Numbered>(3, saved.model.input)), {.batch = 2});
  std::vector<float> all;
  (void)session.run([&](const Predicted& some) {
    all.insert(all.end(), some.values.begin(), some.values.end());
  });
  return all;
}

}  // namespace

TEST_CASE("a name with weights gives what the model gives that they are of") {
  const test::Scratch scratch;
  const SavedModel saved = of_zoo({224, 224, 3}, 5);
  const ModelWithWeights opened =
      open_model("ask", named(kSmall, write_tensors(scratch / "w.safetensors", saved)));
  CHECK(opened.saved.model.layers == saved.model.layers);
  CHECK(opened.saved.model.input == saved.model.input);
  CHECK(opened.saved.parameters == saved.parameters);
  CHECK(opened.saved.model.classes.empty());
  CHECK(outputs_of(opened.saved) == outputs_of(saved));
  REQUIRE(opened.notes.size() == 2);
  CHECK_THAT(opened.notes[0], Contains("8 of 8 tensors of the model"));
  CHECK_THAT(opened.notes[1], Contains("input 224x224x3 (which the weights fit), rescale: ") &&
                                  Contains("the file does not say with what input"));
}

TEST_CASE("an input that weights leave open is asked for, and taken when it is said") {
  const test::Scratch scratch;
  const SavedModel saved = of_zoo({64, 64, 3}, 3);
  const std::string file = write_tensors(scratch / "w.safetensors", saved);
  ModelRequest request = named(kSmall, file);
  // Two poolings of 62 pixels leave as many as of 65.
  CHECK_THROWS_WITH(
      (void)open_model("ask", request),
      Contains("ask: ") && Contains("any input from 62x62 to 65x65") && Contains("--size 65"));
  request.size = ImageSize{64, 64};
  const ModelWithWeights opened = open_model("ask", request);
  CHECK(opened.saved.model.input == Shape{64, 64, 3});
  CHECK(opened.saved.parameters == saved.parameters);
  CHECK_THAT(opened.notes[1], Contains("(as asked)"));
  request.size = ImageSize{128, 128};
  CHECK_THROWS_WITH((void)open_model("ask", request),
                    Contains("size of input") && Contains("128x128x3"));
}

TEST_CASE("of a model of ours in the file its input, classes and preprocessing are taken") {
  const test::Scratch scratch;
  SavedModel saved = of_zoo({40, 30, 3}, 2);
  saved.model.classes = {"cats", "dogs"};
  saved.model.preprocessing.scale = 0.5F;
  save_model(scratch / "m.safetensors", saved.model, saved.parameters);
  ModelRequest request{.model = {.name = kSmall, .weights = (scratch / "m.safetensors").string()}};
  const ModelWithWeights opened = open_model("ask", request);
  CHECK(opened.saved.model.input == Shape{40, 30, 3});
  CHECK(opened.saved.model.classes == saved.model.classes);
  CHECK(opened.saved.model.preprocessing.scale == 0.5F);
  CHECK(opened.saved.parameters == saved.parameters);
  CHECK_THAT(opened.notes[1], Contains("that of the file"));
  request.preprocessing = "tf";
  CHECK(open_model("ask", request).saved.model.preprocessing.scale == Approx(1 / 127.5));
}

TEST_CASE("a JSON file with weights says itself what its input and its pixels are") {
  const test::Scratch scratch;
  SavedModel saved = of_zoo({32, 32, 3}, 2);
  saved.model.preprocessing.scale = 2;
  const std::string file = write_tensors(scratch / "w.safetensors", saved);
  const std::string json = scratch.write("m.json", nn::to_json(saved.model)).string();
  ModelRequest request = named(json, file);
  const ModelWithWeights opened = open_model("ask", request);
  CHECK(opened.saved.model.preprocessing.scale == 2);
  CHECK(opened.saved.parameters == saved.parameters);
  request.size = ImageSize{40, 40};
  CHECK_THROWS_WITH((void)open_model("ask", request), Contains("leave out --size"));
  CHECK_THROWS_AS((void)open_model("ask", {.model = {.name = json}}), UsageError);
}

TEST_CASE("what cannot be a model with weights is refused with what to do") {
  const test::Scratch scratch;
  const SavedModel saved = of_zoo({224, 224, 3}, 5);
  const std::string file = write_tensors(scratch / "w.safetensors", saved);
  const auto refused = [](const ModelRequest& request, const std::string& part) {
    INFO(request.model.name << ' ' << request.model.weights);
    CHECK_THROWS_WITH((void)open_model("ask", request), Contains(part));
  };
  refused({.model = {.name = kSmall}}, "is a model without weights; give them: --weights FILE");
  refused({.model = {.name = "nothing", .weights = file}}, "there is no such model; known: ");
  refused({.model = {.name = "nothing"}}, "nothing: no such model file or run directory");
  refused({.model = {.name = kSmall, .weights = "none.h5"}}, "none.h5: no such weight file");
  refused(named("cnn:2,4:4", file), "weights of another model");

  save_model(scratch / "own.safetensors", saved.model, saved.parameters);
  refused({.model = {.name = (scratch / "own.safetensors").string(), .weights = file}},
          "has its own weights");
  // Features alone, as files without their top are.
  SavedModel features = saved;
  features.model.layers.erase(features.model.layers.begin() + 6, features.model.layers.end());
  const std::string base = write_tensors(scratch / "base.safetensors", features);
  refused(
      {.model = {.name = kSmall, .weights = base}},
      "has no 'dense1.weight', which 'cnn:2,3:4' needs; give a file with all weights, or train");
}

TEST_CASE("names are given to classes that are numbers, one each") {
  nn::Model model = of_zoo({40, 40, 3}, 3).model;
  name_classes("ask", {}, model);
  CHECK(model.classes.empty());
  CHECK_THROWS_WITH(name_classes("ask", {"a", "b"}, model),
                    Contains("ask: --class-names has 2 names, and the model 3 classes"));
  name_classes("ask", {"a", "b", "c"}, model);
  CHECK(model.classes == std::vector<std::string>{"a", "b", "c"});
  CHECK_THROWS_WITH(name_classes("ask", {"x", "y", "z"}, model), Contains("are called a, b, c"));
  model.classes = {"2", "0", "1"};
  name_classes("ask", {"a", "b", "c"}, model);
  CHECK(model.classes == std::vector<std::string>{"c", "a", "b"});
  model.classes = {"7", "0", "1"};
  CHECK_THROWS_WITH(name_classes("ask", {"a", "b", "c"}, model), Contains("for the class 7"));
}
