// Which input, outputs and preprocessing a named model gets from a file of weights.

#include "catch.h"
#include "io/scratch.h"

#include <millrace/io/safetensors.h>
#include <millrace/nn/initialize.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nn/zoo/zoo.h>
#include <millrace/training/known_weights.h>
#include <millrace/training/model_with_weights.h>
#include <millrace/training/transfer.h>

#include <filesystem>
#include <span>
#include <string>
#include <vector>

using namespace millrace;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

constexpr const char* kSmall = "cnn:2,3:4";

SavedModel of_zoo(const std::string& name, const Shape& input, std::int64_t outputs) {
  SavedModel saved{nn::zoo_model(name, input, outputs), {}};
  saved.parameters.resize(
      static_cast<std::size_t>(nn::arena_elements(nn::parameters(saved.model))));
  nn::initialize(saved.model, 7, saved.parameters);
  return saved;
}

/// The tensors alone, as another program writes them.
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

ModelRequest request_of(const std::string& name, const std::string& weights) {
  return {
      .model = {.name = name, .weights = weights, .flatten_order = FlattenOrder::channels_last}};
}

}  // namespace

TEST_CASE("sizes are found wherever they lie, and all that fit are told") {
  const test::Scratch scratch;
  // Two convolutions without padding and two poolings: (s - 2) / 2, less 2, / 2, rounded down.
  struct Case {
    int side;
    const char* range;
  };
  for (const auto& [side, range] :
       {Case{150,
             "any input from 150x150 to 153x153; say which they were trained with: --size 153"},
        Case{28, "any input from 26x26 to 29x29; say which they were trained with: --size 29"},
        Case{10, "any input from 10x10 to 13x13; say which they were trained with: --size 13"}}) {
    const std::string file =
        write_tensors(scratch / "w.safetensors", of_zoo(kSmall, {side, side, 3}, 3));
    CHECK_THROWS_WITH((void)open_model("ask", request_of(kSmall, file)), Contains(range));
  }
  for (const int side : {28, 150}) {
    const std::string file =
        write_tensors(scratch / "m.safetensors", of_zoo("mlp:2", {side, side, 3}, 3));
    const ModelWithWeights opened = open_model("ask", request_of("mlp:2", file));
    CHECK(opened.saved.model.input == Shape{side, side, 3});
    CHECK_THAT(opened.notes[1], Contains("the one that the weights fit"));
  }
}

TEST_CASE("images that are too small for a network are refused with the least that it takes") {
  const test::Scratch scratch;
  const std::string file = write_tensors(scratch / "w.safetensors", of_zoo("mlp:2", {8, 8, 3}, 3));
  const auto refused = [&](const char* name, int side, const std::string& part) {
    ModelRequest request = request_of(name, file);
    request.size = ImageSize{side, side};
    CHECK_THROWS_WITH((void)open_model("ask", request), Contains(part));
  };
  // torchvision documents these three.
  refused("squeezenet1_1", 8, "ask: squeezenet1_1 takes images of at least 17x17, not 8x8");
  refused("vgg16", 31, "ask: vgg16 takes images of at least 32x32, not 31x31");
  refused("convnext_tiny", 8, "ask: convnext_tiny takes images of at least 32x32, not 8x8");
  // 16 pixels are halved five times, and one is left for the last.
  refused("resnet50", 16, "ask: resnet50 takes images of at least 17x17, not 16x16");
  refused("resnet50", 17, "weights of another model");
  refused(kSmall, 9, "ask: cnn:2,3:4 takes images of at least 10x10, not 9x9");
  refused("resnet18", 100'000, "more than 2^31 - 1 elements");
}

TEST_CASE("a size has the channels of the model in the file") {
  const test::Scratch scratch;
  const SavedModel saved = of_zoo(kSmall, {40, 40, 1}, 2);
  save_model(scratch / "m.safetensors", saved.model, saved.parameters);
  ModelRequest request{.model = {.name = kSmall, .weights = (scratch / "m.safetensors").string()}};
  request.size = ImageSize{40, 40};
  CHECK(open_model("ask", request).saved.model.input == Shape{40, 40, 1});
}

TEST_CASE("a named preprocessing replaces numbers, and images are read as the weights were") {
  const test::Scratch scratch;
  SavedModel saved = of_zoo(kSmall, {40, 40, 3}, 2);
  saved.model.preprocessing = {.filter = "nearest", .scale = 0.5F, .background = Colour{1, 2, 3}};
  save_model(scratch / "m.safetensors", saved.model, saved.parameters);
  ModelRequest request{.model = {.name = kSmall, .weights = (scratch / "m.safetensors").string()}};
  CHECK(open_model("ask", request).saved.model.preprocessing == saved.model.preprocessing);
  request.preprocessing = "tf";
  const nn::Preprocessing named = open_model("ask", request).saved.model.preprocessing;
  CHECK(named == nn::with_reading_of(saved.model.preprocessing, nn::preprocessing_named("tf")));
}

TEST_CASE("a JSON file says by its key alone whether images are turned upright") {
  const test::Scratch scratch;
  const std::string file = write_tensors(scratch / "w.safetensors", of_zoo("mlp:2", {2, 2, 3}, 2));
  const auto turns = [&](const std::string& preprocessing) {
    const std::string json =
        scratch
            .write("m.json", concat(R"({"name": "m", "input": [2, 2, 3], )", preprocessing,
                                    R"("layers": [{"name": "f", "kind": "flatten"},
          {"name": "dense1", "kind": "dense", "units": 2}, {"name": "r", "kind": "relu"},
          {"name": "dense2", "kind": "dense", "units": 2}, {"name": "s", "kind": "softmax"}]})"))
            .string();
    return open_model("ask", request_of(json, file)).saved.model.preprocessing.exif_orientation;
  };
  CHECK(turns(""));
  CHECK(turns(R"("preprocessing": {},)"));
  CHECK(turns(R"("preprocessing": {"scale": 0.5},)"));
  CHECK(turns(R"("preprocessing": {"scale": 0.5, "exif_orientation": true},)"));
  CHECK_FALSE(turns(R"("preprocessing": {"scale": 0.5, "exif_orientation": false},)"));
  CHECK_FALSE(turns(R"("preprocessing": {"exif_orientation": false},)"));
}

TEST_CASE("weights that do not tell their preprocessing leave a model's own as it is") {
  const test::Scratch scratch;
  const SavedModel saved = of_zoo(kSmall, {40, 40, 3}, 2);
  const std::string file = write_tensors(scratch / "w.safetensors", saved);
  const Pretrained silent(file, saved.model);
  const nn::Preprocessing own{.filter = "box", .scale = 3, .exif_orientation = true};
  CHECK(silent.preprocessing_over(own) == own);
  nn::Model model = saved.model;
  take_preprocessing(kSmall, &silent, model);
  CHECK(model.preprocessing == nn::Preprocessing{.exif_orientation = true});
}

TEST_CASE("the table of published weights says the filter where it is known") {
  const KnownWeights& keras = *find_known_weights("squeezenet1_1-keras");
  CHECK(keras.pixels == "caffe");
  CHECK(keras.filter == "nearest");
  // torchvision resizes for this network by BICUBIC, for the others of the table by BILINEAR.
  CHECK(find_known_weights("efficientnet_b0")->filter == "bicubic");
  CHECK(preprocessing_of(*find_known_weights("efficientnet_b0")).filter == "bicubic");
  CHECK(find_known_weights("vgg16-top")->filter.empty());
}
