#include <millrace/nn/layers/batch_norm.h>
#include <millrace/nn/layers/conv2d.h>
#include <millrace/nn/model.h>
#include <millrace/nn/model_json.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nn/window.h>

#include "catch.h"

#include <limits>

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

TEST_CASE("A window with same padding puts the odd pixel at the end, as TensorFlow does") {
  const auto window = [](std::int64_t extent, std::int64_t size, std::int64_t stride) {
    return place({.size = size, .stride = stride, .padding = Padding::same}, extent, 1).rows;
  };
  const Window even = window(6, 3, 2);
  CHECK(even.output == 3);
  CHECK(even.before == 0);
  CHECK(even.after == 1);
  const Window odd = window(7, 3, 2);
  CHECK(odd.output == 4);
  CHECK(odd.before == 1);
  CHECK(odd.after == 1);
  const Window sparse = window(10, 1, 3);  // strides over pixels, needs none
  CHECK(sparse.output == 4);
  CHECK(sparse.before + sparse.after == 0);
}

TEST_CASE("A window without padding leaves out the rest of the image") {
  CHECK(place({.size = 3, .stride = 2}, 10, 2).rows.output == 4);
  CHECK(place({.size = 3, .stride = 1}, 10, 2).columns.output == 0);
}

// The shapes and counts that Keras's summary() shows for the same layers.
TEST_CASE("Shapes and parameter counts of the small convnet are Keras's") {
  ModelBuilder builder("cnn", {150, 150, 3});
  for (const std::int64_t filters : {32, 64, 128, 128}) builder.conv(filters).relu().max_pool();
  const Model model = builder.flatten().dense(512).relu().dense(1).sigmoid().build();

  const std::vector<LayerSummary> layers = summarize(model);
  CHECK(layers[0].output == Shape{148, 148, 32});
  CHECK(layers[2].output == Shape{74, 74, 32});
  CHECK(layers[9].output == Shape{15, 15, 128});
  CHECK(layers[12].output == Shape{6272});
  CHECK(layers[0].parameters == 896);
  CHECK(layers[3].parameters == 18'496);
  CHECK(layers[13].parameters == 3'211'776);
  std::int64_t sum = 0;
  for (const LayerSummary& layer : layers) sum += layer.trainable_parameters;
  CHECK(sum == 3'453'121);
  CHECK(layers[0].flops == 2 * 148 * 148 * 32 * 27);
}

TEST_CASE("Parameters of trainable layers come first, in the order of the layers") {
  Model model =
      ModelBuilder("m", {8, 8, 3}).conv(5).batch_norm().global_avg_pool().dense(7).dense(2).build();
  model.layers[3].trainable = false;
  std::vector<std::string> names;
  for (const Parameter& parameter : parameters(model)) names.push_back(parameter.name);
  CHECK(names == std::vector<std::string>{"conv1.weight", "conv1.bias", "batch_norm1.weight",
                                          "batch_norm1.bias", "dense2.weight", "dense2.bias",
                                          "batch_norm1.running_mean", "batch_norm1.running_var",
                                          "dense1.weight", "dense1.bias"});
}

TEST_CASE("Parameters start at multiples of 64 bytes and do not overlap") {
  const Model model = ModelBuilder("m", {9, 7, 3}).conv(5).batch_norm().flatten().dense(3).build();
  std::int64_t end = 0;
  for (const Parameter& parameter : parameters(model)) {
    CHECK(parameter.offset % 16 == 0);
    CHECK(parameter.offset >= end);
    CHECK(parameter.offset < end + 16);
    end = parameter.offset + parameter.shape.elements();
  }
  const std::int64_t all = arena_elements(parameters(model));
  CHECK(all >= end);
  CHECK(all % 16 == 0);
  CHECK(trainable_elements(parameters(model)) == parameters(model)[6].offset);
}

TEST_CASE("Kernels know their fans, which initialisers divide by") {
  const Model model = ModelBuilder("m", {8, 8, 3}).conv(5).flatten().dense(7).build();
  const std::vector<Parameter> all = parameters(model);
  CHECK(all[0].shape == Shape{5, 3, 3, 3});
  CHECK(all[0].fan_in == 27);
  CHECK(all[0].fan_out == 45);
  CHECK(all[3].shape == Shape{7});
  CHECK(all[3].fan_in == 180);
  CHECK(all[3].fan_out == 7);
}

TEST_CASE("Shapes that do not fit name the layer") {
  CHECK_THROWS_WITH(ModelBuilder("m", {2, 2, 1}).conv(4).build(),
                    "layer 0 'conv1': a 3x3 window does not fit into 2x2");
  CHECK_THROWS_WITH(ModelBuilder("m", {8, 8, 1}).conv(4).named("stem").dense(3).build(),
                    "layer 1 'dense1': dense needs [features], not 6x6x4; put flatten or "
                    "global_avg_pool before it");
  CHECK_THROWS_WITH(ModelBuilder("m", {8}).max_pool().build(),
                    Contains("max_pool2d needs [height][width][channels], not 8"));
}

TEST_CASE("Numbers that make no layer are refused") {
  CHECK_THROWS_WITH(ModelBuilder("m", {8}).dense(0).build(), Contains("units must be a positive"));
  CHECK_THROWS_WITH(ModelBuilder("m", {8}).dropout(1.0F).build(),
                    Contains("rate must be in [0, 1)"));
  CHECK_THROWS_WITH(ModelBuilder("m", {8}).batch_norm({.epsilon = 0}).build(),
                    Contains("epsilon must be in (0, 1)"));
  CHECK_THROWS_WITH(ModelBuilder("m", {8})
                        .batch_norm({.momentum = std::numeric_limits<float>::quiet_NaN()})
                        .build(),
                    Contains("momentum"));
  CHECK_THROWS_WITH(ModelBuilder("m", {8, 8, 1}).add(Conv2D{.filters = 3, .stride = -1}).build(),
                    Contains("stride must be a positive"));
  CHECK_THROWS_WITH(ModelBuilder("m", {0, 8, 1}).flatten().build(), Contains("input: expected"));
  CHECK_THROWS_WITH(ModelBuilder("m", {2, 8}).flatten().build(), Contains("input: expected"));
  CHECK_THROWS_WITH(ModelBuilder("m", {1 << 20}).dense(1 << 20).build(),
                    Contains("more than 2^31 - 1 elements"));
  CHECK_THROWS_WITH(ModelBuilder("m", {8}).build(), Contains("has no layers"));
}

TEST_CASE("Names of layers are unique") {
  CHECK_THROWS_WITH(ModelBuilder("m", {8}).relu().named("a").relu().named("a").build(),
                    "layer 1: the name 'a' is taken");
  const Model model = ModelBuilder("m", {8}).dense(3).relu().dense(3).build();
  CHECK(model.layers[2].name == "dense2");
}

TEST_CASE("Preprocessing and classes match the model") {
  const auto model = [](Preprocessing preprocessing, std::vector<std::string> classes,
                        std::int64_t outputs) {
    return ModelBuilder("m", {4, 4, 3})
        .flatten()
        .dense(outputs)
        .preprocessing(std::move(preprocessing))
        .classes(std::move(classes))
        .build();
  };
  CHECK_NOTHROW(model({.mean = {1, 2, 3}, .deviation = {1, 1, 1}}, {"cat", "dog"}, 2));
  CHECK_NOTHROW(model({}, {"cat", "dog"}, 1));
  CHECK_THROWS_WITH(model({.mean = {1, 2}}, {}, 2), Contains("preprocessing.mean"));
  CHECK_THROWS_WITH(model({.deviation = {1, 0, 1}}, {}, 2), Contains("preprocessing.deviation"));
  CHECK_THROWS_WITH(model({}, {"cat"}, 2), Contains("classes: expected 2 names"));
  CHECK_THROWS_WITH(model({}, {"cat", "cat"}, 2), Contains("the same name twice"));
}

TEST_CASE("The summary table shows shapes, frozen layers and totals") {
  Model model = ModelBuilder("mlp", {28, 28, 1}).flatten().dense(500).relu().dense(10).build();
  model.layers[1].trainable = false;
  const std::string table = summary_table(model);
  CHECK_THAT(table, Contains("model 'mlp'") && Contains("28x28x1") && Contains("dense (frozen)"));
  CHECK_THAT(table, Contains("392,500") && Contains("397,510 parameters (1.5 MiB as float32)"));
  CHECK_THAT(table, Contains("5,010 of them trainable") && Contains("0.8 MFLOP a sample"));
}

TEST_CASE("Control characters in names are shown in the summary table, not sent to the terminal") {
  const Model model = ModelBuilder("a\x1B[2J", {2}).dense(2).named("b\nc").build();
  const std::string table = summary_table(model);
  CHECK_THAT(table, Contains("model 'a\\e[2J'") && Contains("b\\nc") && !Contains("\x1B"));
}

TEST_CASE("A colour and an orientation of the preprocessing are read back, and wrong ones told") {
  const Preprocessing reading{.exif_orientation = true, .background = Colour{1, 2, 255}};
  const Model model =
      ModelBuilder("m", {2, 2, 3}).flatten().dense(2).preprocessing(reading).build();
  CHECK(model_from_json(to_json(model)).preprocessing == reading);
  CHECK_THAT(describe(reading), Contains("on #0102ff") && Contains("pixel / 255"));
  std::string text = to_json(model);
  const std::size_t at = text.find("#0102ff");
  CHECK_THROWS_WITH(model_from_json(text.replace(at, 7, "reddish")),
                    Contains("preprocessing.background") && Contains("reddish"));
  CHECK_THROWS_WITH(ModelBuilder("t", {4}).dense(2).preprocessing(reading).build(),
                    Contains("background and exif_orientation are for images"));
}

TEST_CASE("Initialisers have names that read back") {
  for (const Initializer each : {Initializer::glorot_uniform, Initializer::lecun_normal,
                                 Initializer::torch, Initializer::zeros}) {
    CHECK(initializer_named(to_string(each)) == each);
  }
  CHECK_THROWS_WITH(initializer_named("xavier"), Contains("glorot_uniform, glorot_normal"));
}

}  // namespace
