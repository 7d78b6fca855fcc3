#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/zoo/zoo.h>

#include "catch.h"

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

std::int64_t parameter_count(const Model& model) {
  std::int64_t sum = 0;
  for (const LayerSummary& layer : summarize(model)) sum += layer.parameters;
  return sum;
}

TEST_CASE("The zoo's models have the parameter counts of their sources") {
  CHECK(parameter_count(zoo_model("mlp:500", {28, 28, 1}, 10)) == 397'510);
  CHECK(parameter_count(zoo_model("mlp:128", {1}, 1)) == 128 * 2 + 129);
  CHECK(parameter_count(zoo_model("cnn", {150, 150, 3}, 1)) == 3'453'121);
  CHECK(zoo_model("cnn", {150, 150, 3}, 1).layers ==
        zoo_model("cnn:32,64,128,128:512", {150, 150, 3}, 1).layers);
}

TEST_CASE("One output ends in a sigmoid, more in a softmax") {
  CHECK(zoo_model("mlp:4", {2}, 1).layers.back().kind.is<Sigmoid>());
  CHECK(zoo_model("mlp:4", {2}, 2).layers.back().kind.is<Softmax>());
}

TEST_CASE("Widths are those of the name, in order") {
  const Model model = zoo_model("cnn:16,32:64", {32, 32, 3}, 10, Initializer::torch);
  CHECK(model.layers[0].kind.get_if<Conv2D>()->filters == 16);
  CHECK(model.layers[3].kind.get_if<Conv2D>()->filters == 32);
  CHECK(model.layers[7].kind.get_if<Dense>()->units == 64);
  CHECK(model.layers[7].initializer == Initializer::torch);
  CHECK(model.layers.size() == 11);
}

TEST_CASE("A convnet has dropout before each of its dense layers if it is asked for") {
  const auto kinds = [](std::string_view spec) {
    std::string text;
    for (const Layer& layer : zoo_model(spec, {16, 16, 1}, 10).layers) {
      text += std::string(kind_name(layer.kind)) + ' ';
    }
    return text;
  };
  CHECK(kinds("cnn:4:8:0.3") ==
        "conv2d relu max_pool2d flatten dropout dense relu dropout dense softmax ");
  CHECK(kinds("cnn:4::0.3") == "conv2d relu max_pool2d flatten dropout dense softmax ");
  CHECK(kinds("cnn:4:8:0") == kinds("cnn:4:8"));
  const Model model = zoo_model("cnn:4:8:0.3", {16, 16, 1}, 10);
  CHECK(model.layers[4].kind.get_if<Dropout>()->rate == 0.3F);
}

TEST_CASE("Names that are no model list the known ones") {
  const Shape image{32, 32, 3};
  for (const char* spec : {"resnet", "mlp", "mlp:", "mlp:0", "mlp:5,", "mlp:5;6", "mlp:-5",
                           "cnn::64", "cnn:16:x", "cnn:16:8:1", "cnn:16:8:-0.1", "cnn:16:8:x",
                           "cnn:16:8:0.1:2", "vgg", "mlp:99999999999999999999", ""}) {
    INFO(spec);
    CHECK_THROWS_AS(zoo_model(spec, image, 2), UsageError);
    CHECK_THROWS_WITH(zoo_model(spec, image, 2), Contains("known: mlp:WIDTH,..."));
  }
  CHECK_THROWS_WITH(zoo_model("cnn", {784}, 2), Contains("needs images"));
  CHECK(zoo_help().size() == 10);
}

}  // namespace
