#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/zoo/vgg.h>

#include <millrace/core/error.h>
#include <millrace/nn/zoo/zoo.h>

#include "catch.h"

#include <algorithm>

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

namespace {

struct Row {
  const char *name, *keras;
  std::int64_t parameters, side_at_224, side_at_150;
};
// Keras's VGG16: parameters of each layer and the height of its output.
constexpr Row kConvolutions[] = {{"features.0", "block1_conv1", 1'792, 224, 150},
                                 {"features.2", "block1_conv2", 36'928, 224, 150},
                                 {"features.5", "block2_conv1", 73'856, 112, 75},
                                 {"features.7", "block2_conv2", 147'584, 112, 75},
                                 {"features.10", "block3_conv1", 295'168, 56, 37},
                                 {"features.12", "block3_conv2", 590'080, 56, 37},
                                 {"features.14", "block3_conv3", 590'080, 56, 37},
                                 {"features.17", "block4_conv1", 1'180'160, 28, 18},
                                 {"features.19", "block4_conv2", 2'359'808, 28, 18},
                                 {"features.21", "block4_conv3", 2'359'808, 28, 18},
                                 {"features.24", "block5_conv1", 2'359'808, 14, 9},
                                 {"features.26", "block5_conv2", 2'359'808, 14, 9},
                                 {"features.28", "block5_conv3", 2'359'808, 14, 9}};

LayerSummary layer(const Model& model, std::string_view name) {
  const auto found = std::ranges::find(model.layers, name, &Layer::name);
  REQUIRE(found != model.layers.end());
  return summarize(model)[static_cast<std::size_t>(found - model.layers.begin())];
}

std::int64_t sum(const Model& model, std::int64_t LayerSummary::*what) {
  std::int64_t total = 0;
  for (const LayerSummary& one : summarize(model)) total += one.*what;
  return total;
}

}  // namespace

TEST_CASE("VGG16 has Keras's table of layers") {
  const Model at_224 = vgg16({224, 224, 3}, 1000);
  const Model at_150 = vgg16({150, 150, 3}, 0);
  for (const Row& row : kConvolutions) {
    INFO(row.name);
    CHECK(layer(at_224, row.name).parameters == row.parameters);
    CHECK(layer(at_224, row.name).output[0] == row.side_at_224);
    CHECK(layer(at_150, row.name).output[0] == row.side_at_150);
    CHECK(vgg16_keras_name(row.name) == row.keras);
  }
  CHECK(layer(at_224, "classifier.0").parameters == 102'764'544);
  CHECK(layer(at_224, "classifier.3").parameters == 16'781'312);
  CHECK(layer(at_224, "classifier.6").parameters == 4'097'000);
  CHECK(sum(at_224, &LayerSummary::parameters) == 138'357'544);
  CHECK(sum(at_150, &LayerSummary::parameters) == 14'714'688);
  CHECK(layer(at_150, "features.30").output == Shape{4, 4, 512});
  CHECK(vgg16_keras_name("features.1").empty());
}

TEST_CASE("VGG16 takes the multiply-adds that are published for it") {
  CHECK(sum(vgg16({224, 224, 3}, 1000), &LayerSummary::flops) ==
        2 * (15'346'630'656 + 123'633'664));
  CHECK(sum(vgg16({150, 150, 3}, 0), &LayerSummary::flops) == 2 * 6'615'491'328);
}

TEST_CASE("VGG16's dense layers follow from the input and the classes") {
  CHECK(layer(vgg16({32, 64, 3}, 1), "classifier.0").parameters == 1024 * 4096 + 4096);
  CHECK(vgg16({32, 32, 3}, 1).layers.back().kind.is<Sigmoid>());
  CHECK(vgg16({32, 32, 3}, 10).layers.back().kind.is<Softmax>());
  CHECK_THROWS_WITH(vgg16({31, 224, 3}, 10), Contains("at least 32x32 pixels, not 31x224x3"));
  CHECK_THROWS_AS(vgg16({1024}, 10), UsageError);
}

TEST_CASE("torchvision's dropout changes no name of a layer with weights") {
  const Model plain = zoo_model("vgg16", {32, 32, 3}, 10);
  const Model dropout = zoo_model("vgg16:dropout", {32, 32, 3}, 10);
  CHECK(dropout.layers.size() == plain.layers.size() + 2);
  CHECK(dropout.layers[34].kind.get_if<Dropout>()->rate == 0.5F);
  CHECK(dropout.layers[34].name == "classifier.2");
  const auto names = [](const Model& model) {
    std::vector<std::string> result;
    for (const Parameter& parameter : parameters(model)) result.push_back(parameter.name);
    return result;
  };
  CHECK(names(plain) == names(dropout));
}
