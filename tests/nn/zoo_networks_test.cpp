// The networks of the zoo beside PyTorch in float64: the reference engine with the same weights.

#include <millrace/nn/reference/engine.h>
#include <millrace/nn/transfer.h>
#include <millrace/nn/weight_layout.h>
#include <millrace/nn/zoo/zoo.h>

#include <millrace/core/error.h>

#include "nn/recorded_zoo.h"

#include <set>

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

constexpr double kTolerance = 1e-9;  // of the largest value
// Of the norm: batch norms over four values multiply what rounding does to a gradient.
constexpr double kGradient = 1e-8;

/// Outputs outside training and the loss in training.
std::unique_ptr<ReferenceExecutor> check_outputs(const test::RecordedNetwork& network,
                                                 const nlohmann::json& record) {
  auto executor = ReferenceEngine().compile_reference(network.model, network.options);
  executor->allocate();
  const std::vector<float> weights = network.arena();
  std::ranges::copy(weights, executor->parameters().begin());
  (void)executor->evaluate(network.batch);
  const std::vector<double> expected = network.outputs(record);
  const std::span<const double> outputs = executor->outputs();
  REQUIRE(outputs.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO("output " << i);
    CHECK(std::abs(outputs[i] - expected[i]) <= kTolerance * test::largest(expected));
  }
  const StepResult result = executor->gradients(network.batch);
  CHECK(result.mean_loss() == Approx(record["loss"].get<double>()).epsilon(kTolerance));
  return executor;
}

/// The gradient of the training step too.
void check_torch(const nlohmann::json& file, const nlohmann::json& record) {
  const test::RecordedNetwork network(file, record, record);
  CHECK(network.tensors() == record["tensors"].get<std::uint32_t>());
  const auto executor = check_outputs(network, record);
  const auto [norm, product] = network.gradient(executor->gradient());
  CHECK(norm == Approx(record["gradient"][0].get<double>()).epsilon(kGradient));
  CHECK(std::abs(product - record["gradient"][1].get<double>()) <= kGradient * norm);
}

bool has_batch_norm(const nlohmann::json& vgg) {
  return vgg["spec"].get<std::string>().ends_with("_bn");
}

void check_keras(const nlohmann::json& file, const nlohmann::json& record) {
  test::RecordedNetwork network(file, record, record);
  network.use_keras_names();
  for (const Parameter& p : network.parameters) {
    INFO(p.name);
    CHECK_FALSE(network.keras_name(p).empty());
  }
  check_outputs(network, record);
}

std::int64_t trainable(const Model& model) {
  std::int64_t sum = 0;
  for (const LayerSummary& layer : summarize(model)) sum += layer.trainable_parameters;
  return sum;
}

std::set<std::string> layers_with_weights(const Model& model) {
  std::set<std::string> names;
  for (const Parameter& p : parameters(model)) names.emplace(test::layer_of(p));
  return names;
}

}  // namespace

TEST_CASE("ResNets give PyTorch's outputs, losses and gradients") {
  test::for_each_network("resnet", check_torch);
}

TEST_CASE("MobileNetV2 of three widths gives PyTorch's outputs, losses and gradients") {
  test::for_each_network("mobilenet_v2", check_torch);
}

TEST_CASE("SqueezeNet gives PyTorch's outputs, losses and gradients") {
  test::for_each_network("squeezenet", check_torch);
}

TEST_CASE("VGGs give PyTorch's outputs, losses and gradients") {
  test::for_each_network("vgg", [](const nlohmann::json& file, const nlohmann::json& record) {
    if (!has_batch_norm(record)) check_torch(file, record);
  });
}

TEST_CASE("VGGs with batch norm give PyTorch's outputs, losses and gradients") {
  test::for_each_network("vgg", [](const nlohmann::json& file, const nlohmann::json& record) {
    if (has_batch_norm(record)) check_torch(file, record);
  });
}

TEST_CASE("EfficientNets give PyTorch's outputs, losses and gradients") {
  test::for_each_network("efficientnet", check_torch);
}

TEST_CASE("MobileNetV3s give PyTorch's outputs, losses and gradients") {
  test::for_each_network("mobilenet_v3", check_torch);
}

TEST_CASE("ConvNeXt gives PyTorch's outputs, losses and gradients") {
  test::for_each_network("convnext", check_torch);
}

TEST_CASE("Keras's forms of networks give Keras's outputs and losses, with its names of layers") {
  test::for_each_network("", check_keras, "zoo_keras.json");
}

TEST_CASE("Networks of the zoo have as many parameters as PyTorch's") {
  std::set<std::string> recorded;
  test::for_each_network("", [&](const nlohmann::json&, const nlohmann::json& record) {
    const auto spec = record["spec"].get<std::string>();
    recorded.insert(spec);
    CHECK(trainable(zoo_model(spec, {224, 224, 3}, 1000)) ==
          record["parameters"].get<std::int64_t>());
  });
  for (const std::string_view name : zoo_networks()) {
    INFO(name);
    CHECK(recorded.contains(std::string(name)));
  }
}

TEST_CASE("A new head stands on the features of every network of the zoo") {
  for (const std::string_view name : zoo_networks()) {
    INFO(name);
    const Model whole = zoo_model(name, {64, 48, 3}, 7);
    Model model = with_head(whole, "gap,dense", 3);
    const std::size_t base = base_layers(whole);
    CHECK(model.layers.size() == base + 3);
    std::string last;
    for (const std::string& layer : layers_with_weights(whole)) {
      const bool is_kept = layers_with_weights(model).contains(layer);
      const bool is_of_classes =
          layer.starts_with("classifier.") || layer == "fc" || layer == "_fc";
      INFO(layer);
      CHECK(is_kept != is_of_classes);
    }
    // The images before the head have a thirty-second of the sides, rounded up or down.
    const Shape features = summarize(model)[base - 1].output;
    CHECK((features[0] == 2 || features[0] == 3));
    const std::size_t frozen = freeze(model, model.layers.front().name);
    CHECK(frozen > 0);
  }
}

TEST_CASE("Weights of every network of the zoo have a known order in PyTorch's files") {
  for (const std::string_view name : zoo_networks()) {
    INFO(name);
    CHECK_NOTHROW(require_known_order(zoo_model(name, {64, 48, 3}, 7)));
  }
}

TEST_CASE("One output ends in a sigmoid, which may be below a half") {
  for (const std::string_view name : zoo_networks()) {
    INFO(name);
    const Model model = zoo_model(name, {40, 40, 3}, 1);
    REQUIRE(std::string(kind_name(model.layers.back().kind)) == "sigmoid");
    const std::string before = kind_name(model.layers[model.layers.size() - 2].kind);
    const std::string third = kind_name(model.layers[model.layers.size() - 3].kind);
    CHECK((before == "dense" || (before == "global_avg_pool" && third == "conv2d")));
  }
}

TEST_CASE("Options of a network that it does not have are refused with those that it has") {
  const Shape image{64, 64, 3};
  CHECK_THROWS_WITH(zoo_model("resnet18:0.5", image, 2), Contains("resnet18 has no options"));
  CHECK_THROWS_WITH(zoo_model("resnet50:dropout", image, 2),
                    Contains("after the name may stand keras, not 'dropout'"));
  CHECK_THROWS_WITH(zoo_model("mobilenet_v2:0", image, 2), Contains("the width must be above 0"));
  CHECK_THROWS_WITH(
      zoo_model("mobilenet_v2:half", image, 2),
      Contains("after the name may stand keras, no-dropout, a width such as 0.5, not 'half'"));
  CHECK_THROWS_AS(zoo_model("mobilenet_v2:nan", image, 2), UsageError);
  CHECK_THROWS_WITH(zoo_model("vgg16:no-dropout", image, 2), Contains("dropout, not 'no-dropout'"));
}

TEST_CASE("A network has the form of the library whose weights it takes") {
  CHECK(zoo_other_form("resnet50", true) == "resnet50:keras");
  CHECK(zoo_other_form("resnet50", false).empty());
  CHECK(zoo_other_form("mobilenet_v2:keras:0.5", false) == "mobilenet_v2:0.5");
  CHECK(zoo_other_form("mobilenet_v2:0.5:keras", true).empty());
  for (const char* one : {"vgg16", "convnext_tiny", "efficientnet_lite0", "cnn", "keras"}) {
    CHECK(zoo_other_form(one, true).empty());
  }
}

TEST_CASE("Images that a network cannot take are refused by its name") {
  CHECK_THROWS_WITH(zoo_model("squeezenet1_1", {16, 16, 3}, 2),
                    Contains("model 'squeezenet1_1': cannot take an input of 16x16x3: layer "));
  CHECK_THROWS_WITH(zoo_model("convnext_tiny", {31, 64, 3}, 2), Contains("31x64x3: layer "));
  CHECK_THROWS_WITH(zoo_model("resnet18", {784}, 2), Contains("cannot take an input of 784: "));
  CHECK_THROWS_WITH(zoo_model("vgg11_bn", {31, 64, 3}, 2), Contains("at least 32x32 pixels"));
  for (const std::string_view name : zoo_networks()) {
    INFO(name);
    CHECK_THROWS_AS(zoo_model(name, {784}, 2), UsageError);
    CHECK_NOTHROW(zoo_model(name, {33, 47, 1}, 2));
  }
  CHECK_NOTHROW(zoo_model("squeezenet1_1", {17, 17, 3}, 2));
}
