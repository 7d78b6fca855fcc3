// Which weights of a file belong to a model, and which files are refused for layers without a
// counterpart.

#include "training/small_network.h"

#include <millrace/nn/layers/batch_norm.h>
#include <millrace/nn/layers/conv2d.h>
#include <millrace/nn/reference/engine.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

/// The layers of tests/data/io/weights/foreign.h5 that ours has something for, up to the dense one.
nn::Model known_layers() {
  nn::ModelBuilder builder("known", {6, 6, 3});
  return builder.conv(4, 3, nn::Padding::same).flatten().dense(5).dense(3).softmax().build();
}

}  // namespace

TEST_CASE("layers of a Keras file that the model has nothing for are an error unless ignored") {
  const nn::Model model = known_layers();
  for (const char* name : {"foreign.h5", "foreign.weights.h5"}) {
    INFO(name);
    // In the order of the file, which for Keras 3 is that of classes.
    const std::string all = std::string(name) == "foreign.h5"
                                ? "normalization,p_re_lu,conv2d_transpose,leaky_re_lu"
                                : "conv2d_transpose,leaky_re_lu,normalization,p_re_lu";
    CHECK(error_of_file(kFolder + name, model).ends_with("--ignore-layers " + all));
    const std::string error = error_of([&] {
      const Pretrained weights(kFolder + name, model, model.layers.size(),
                               {.ignored = {"p_re_lu", "conv2d_transpose", "leaky_re_lu"}});
    });
    CHECK(error == kFolder + name +
                       ": the model 'known' has no counterpart for normalization of the file, and "
                       "would give other outputs without it; to leave it out all the same: "
                       "--ignore-layers normalization");
    const Pretrained weights(
        kFolder + name, model, model.layers.size(),
        {.ignored = {"normalization", "p_re_lu", "conv2d_transpose", "leaky_re_lu"}});
    CHECK(weights.missing().empty());
    CHECK(weights.left_over().size() == 3 + 1 + 2);
    CHECK_THROWS_AS(
        Pretrained(kFolder + name, model, model.layers.size(), {.ignored = {"normalisation"}}),
        UsageError);
  }
}

TEST_CASE("a transposed convolution of Keras is no convolution, though its kernel would fit") {
  nn::ModelBuilder builder("two", {6, 6, 3});
  builder.conv(4, 3, nn::Padding::same).conv(4, 3, nn::Padding::same);
  const nn::Model model = builder.flatten().dense(5).dense(3).softmax().build();
  for (const char* name : {"foreign.h5", "foreign.weights.h5"}) {
    CHECK_THAT(error_of_file(kFolder + name, model), Contains("conv2d_transpose"));
  }
}

/// The network of tests/data/io/weights/depthwise.h5; in groups or, as Keras has it, by channel.
nn::ModelBuilder depthwise_network(std::int64_t second = 4) {
  nn::ModelBuilder builder("depthwise", {6, 6, 3});
  return builder.conv(4, 3, nn::Padding::same)
      .conv({.filters = 8, .padding = nn::Padding::same, .groups = second})
      .conv(5, 1)
      .depthwise_conv(2, nn::Padding::valid, 2, false)
      .global_avg_pool()
      .dense(3);
}

void check_outputs(const std::string& file, const nn::Model& model, const std::string& name) {
  const auto record = nlohmann::json::parse(std::ifstream(kFolder + "depthwise.json"));
  const auto input = record["input"].get<std::vector<float>>();
  const std::vector<float> weights = loaded(Pretrained(kFolder + file, model), model);
  const auto executor = nn::ReferenceEngine().compile_reference(model, {.batch = 1});
  executor->allocate();
  std::ranges::copy(weights, executor->parameters().begin());
  std::vector<float> outputs(3);
  executor->predict(
      {.input = ConstTensorView(std::span<const float>(input), {1, 6, 6, 3}), .samples = 1},
      outputs);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    INFO(file << " " << i);
    CHECK(static_cast<double>(outputs[i]) == Approx(record[name][i].get<double>()).epsilon(1e-5));
  }
}

TEST_CASE("depthwise convolutions of Keras give Keras's outputs, those of Conv2D in groups too") {
  check_outputs("depthwise.h5", depthwise_network().build(), "depthwise");
  check_outputs("depthwise.weights.h5", depthwise_network().build(), "depthwise");
  const nn::Model grouped = nn::ModelBuilder("grouped", {6, 6, 3})
                                .conv({.filters = 6, .groups = 3})
                                .global_avg_pool()
                                .dense(3)
                                .build();
  check_outputs("grouped.weights.h5", grouped, "grouped");
}

TEST_CASE("a depthwise kernel of Keras is no kernel of a convolution that is not depthwise") {
  for (const std::int64_t groups : {1, 2}) {
    const nn::Model model = depthwise_network(groups).build();
    CHECK_THAT(error_of_file(kFolder + "depthwise.h5", model),
               Contains("'spread/kernel' is 3x3x4x2 in the file"));
    CHECK_THAT(error_of_file(kFolder + "depthwise.weights.h5", model),
               Contains("has no counterpart for depthwise_conv2d_1"));
  }
}

TEST_CASE(
    "a batch norm of a file that the model lacks is an error, a top that was cut off is not") {
  nn::ModelBuilder plain("plain", {8, 8, 3});
  plain.conv(4, 3, nn::Padding::same).relu().max_pool().conv(5).flatten().dense(6).relu().dense(3);
  for (const char* name : {"keras2.h5", "keras3.weights.h5"}) {
    CHECK(error_of_file(kFolder + name, plain.softmax().build()).ends_with("--ignore-layers norm"));
  }
  CHECK(error_of_file(kFolder + "torch.safetensors", plain.build())
            .ends_with("--ignore-layers batch_norm1"));
  nn::ModelBuilder base("base", {8, 8, 3});
  base.conv(4, 3, nn::Padding::same).relu().batch_norm({.epsilon = 1e-3F}).max_pool().conv(5);
  for (const char* name : {"keras2.h5", "keras3.weights.h5"}) {
    CHECK(Pretrained(kFolder + name, base.build()).left_over().size() == 4);
  }
}

TEST_CASE("a bias of a layer that has none in the model is an error unless it is ignored") {
  nn::ModelBuilder builder("bare", {8, 8, 3});
  builder.conv(4, 3, nn::Padding::same, 1, false).relu().batch_norm({.epsilon = 1e-3F}).max_pool();
  const nn::Model model = builder.conv(5).flatten().dense(6).relu().dense(3).softmax().build();
  for (const auto& [file, name] :
       {std::pair("keras2.h5", "first/bias"), std::pair("keras3.weights.h5", "first/1"),
        std::pair("torch.safetensors", "conv1.bias")}) {
    CHECK(error_of_file(kFolder + file, model).ends_with(concat("--ignore-layers ", name)));
    const Pretrained weights(kFolder + file, model, model.layers.size(), {.ignored = {name}});
    CHECK(weights.left_over() == std::vector<std::string>{name});
  }
}

TEST_CASE("a saved model of Keras whose images are channels first is refused behind a flatten") {
  const nn::Model model = nn::ModelBuilder("c", {4, 4, 3}).conv(2).flatten().dense(3).build();
  CHECK_THAT(error_of_file(kFolder + "channels_first.h5", model), Contains("channels_last"));
}

TEST_CASE(
    "thousands of layers that the model lacks are counted in a short line, and can be ignored") {
  const Scratch scratch;
  const nn::Model model = nn::ModelBuilder("m", {3}).dense(2).named("own").build();
  std::vector<std::pair<std::string, Shape>> tensors{{"own.weight", {2, 3}}, {"own.bias", {2}}};
  std::vector<std::string> ignored;
  for (int i = 0; i < 20'000; ++i) {
    ignored.push_back(concat("other.", 10'000 + i));
    tensors.emplace_back(ignored.back() + ".weight", Shape{1});
  }
  const auto path = write_torch(scratch, tensors);
  const std::string error = error_of_file(path, model);
  CHECK_THAT(error, Contains(" has no counterpart for other.10000, other.10001, ") &&
                        Contains(" and 19994 more of the file"));
  CHECK(error.ends_with(
      "to leave them out all the same: --ignore-layers with the names of all 20000"));
  CHECK(error.size() < 400);
  const Pretrained weights(path, model, model.layers.size(), {.ignored = ignored});
  CHECK(weights.missing().empty());
  CHECK(weights.left_over().size() == 20'000);
  ignored.emplace_back("other");
  const std::string unknown = error_of(
      [&] { const Pretrained none(path, model, model.layers.size(), {.ignored = ignored}); });
  CHECK_THAT(unknown, Contains("has no layer 'other'") && Contains(" and 19995 more"));
}
