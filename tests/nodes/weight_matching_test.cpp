// Which weights of a file belong to a model, and which files are refused: layers without a
// counterpart, prefixes of wrappers, orders of flattened inputs, published models.

#include "io/hdf5_files.h"
#include "nodes/small_network.h"
#include "nodes/vgg16_rule.h"

#include <millrace/nn/initialize.h>
#include <millrace/nn/layers/batch_norm.h>
#include <millrace/nn/layers/conv2d.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nn/reference/engine.h>
#include <millrace/nn/transfer.h>

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

/// A copy of a file of safetensors whose tensors have other names, without metadata.
template <class Rename>
std::filesystem::path renamed(const Scratch& scratch, const std::filesystem::path& from,
                              Rename rename) {
  const SafetensorsFile file(from);
  std::vector<std::vector<float>> values;
  std::vector<NamedTensor> tensors;
  for (const auto& tensor : file.tensors()) {
    if (tensor.name.ends_with("num_batches_tracked")) continue;
    values.emplace_back(static_cast<std::size_t>(tensor.shape.elements()));
    file.read(tensor.name, values.back());
    tensors.push_back({rename(tensor.name), tensor.shape, values.back()});
  }
  write_safetensors(scratch / "renamed.safetensors", tensors);
  return scratch / "renamed.safetensors";
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
                       ": the model 'known' has nothing for normalization of the file, and "
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
               Contains("has nothing for depthwise_conv2d_1"));
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

TEST_CASE("prefixes that wrappers put in front of all names are taken off") {
  const Scratch scratch;
  const nn::Model model = small_network();
  const std::vector<float> expected =
      loaded(Pretrained(kFolder + "torch.safetensors", model), model);
  for (const std::string prefix : {"module.", "model.", "_orig_mod.", "module._orig_mod.",
                                   "model.module.", "module.module.", "_orig_mod.module.model."}) {
    INFO(prefix);
    const auto path = renamed(scratch, kFolder + "torch.safetensors",
                              [&](const std::string& name) { return prefix + name; });
    const Pretrained weights(path, model);
    CHECK(weights.missing().empty());
    CHECK(weights.left_over().empty());
    CHECK(loaded(weights, model) == expected);
    CHECK_THAT(weights.report(), Contains("; read without the prefix " + prefix));
  }
  // One that not all have is a part of the name.
  const auto path = renamed(scratch, kFolder + "torch.safetensors", [](const std::string& name) {
    return name.starts_with("conv") ? "module." + name : name;
  });
  CHECK_THAT(error_of_file(path, model), Contains("it has no 'conv1.weight'"));
}

TEST_CASE(
    "a module that holds the model and other things is read without what is not the model's") {
  const Scratch scratch;
  const nn::Model model =
      nn::ModelBuilder("m", {3}).dense(4).named("a").dense(2).named("b").build();
  const auto path = write_torch(scratch, {{"model.a.weight", {4, 3}},
                                          {"model.a.bias", {4}},
                                          {"model.b.weight", {2, 4}},
                                          {"model.b.bias", {2}},
                                          {"criterion.weight", {2}},
                                          {"criterion.offset", {1}}});
  CHECK(error_of_file(path, model).ends_with("--ignore-layers criterion"));
  // By the names of the tensors too, all of them.
  for (const std::vector<std::string>& ignored :
       {std::vector<std::string>{"criterion"},
        std::vector<std::string>{"criterion.weight", "criterion.offset"}}) {
    const Pretrained weights(path, model, model.layers.size(), {.ignored = ignored});
    CHECK(weights.missing().empty());
    CHECK_THAT(weights.report(), Contains("; read without the prefix model."));
  }
  CHECK_THROWS_WITH(Pretrained(path, model, model.layers.size(), {.ignored = {"criterion.weight"}}),
                    Contains("--ignore-layers criterion"));
}

TEST_CASE("a prefix of wrappers that the model's own layers have is left on") {
  const Scratch scratch;
  const nn::Model model =
      nn::ModelBuilder("m", {3}).dense(4).named("model.0").dense(2).named("model.1").build();
  const std::vector<std::pair<std::string, Shape>> tensors{{"model.0.weight", {4, 3}},
                                                           {"model.0.bias", {4}},
                                                           {"model.1.weight", {2, 4}},
                                                           {"model.1.bias", {2}}};
  const Pretrained plain(write_torch(scratch, tensors), model);
  CHECK(plain.missing().empty());
  CHECK_THAT(plain.report(), !Contains("prefix"));
  std::vector<std::pair<std::string, Shape>> wrapped = tensors;
  for (auto& [name, shape] : wrapped) name = "module." + name;
  wrapped.emplace_back("n_averaged", Shape{});
  CHECK(Pretrained(write_torch(scratch, wrapped), model).missing().empty());
}

TEST_CASE("flattened inputs of PyTorch's files are channels first unless it is said") {
  const Scratch scratch;
  nn::Model model = small_network();
  std::vector<float> arena(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  nn::initialize(model, 5, arena);
  save_model(scratch / "m.safetensors", model, arena);
  // Saved again by a program that drops the metadata: nothing tells our order any more.
  const auto path =
      renamed(scratch, scratch / "m.safetensors", [](const auto& name) { return name; });
  const auto with = [&](std::optional<FlattenOrder> order) {
    return loaded(Pretrained(path, model, model.layers.size(), {.flatten = order}), model);
  };
  CHECK(with(FlattenOrder::channels_last) == arena);
  CHECK(with(FlattenOrder::channels_first) == with(std::nullopt));
  CHECK(with(std::nullopt) != arena);
  for (const char* tells : {"keras2.h5", "m.safetensors"}) {
    const auto file =
        std::string(tells) == "keras2.h5" ? kFolder + tells : (scratch / tells).string();
    CHECK_THROWS_AS(
        Pretrained(file, model, model.layers.size(), {.flatten = FlattenOrder::channels_first}),
        UsageError);
  }
}

TEST_CASE(
    "published weights are known by names and shapes of all convolutions, and by nothing less") {
  const Scratch scratch;
  const nn::Model vgg = nn::vgg16({32, 32, 3}, 0);
  const auto path = write_vgg16(scratch / "vgg.safetensors");
  const Pretrained weights(path, vgg);
  CHECK(weights.preprocessing() == nn::preprocessing_named("torch"));
  CHECK(weights.known_as() == "torchvision's VGG16");
  CHECK(Pretrained(renamed(scratch, path, [](const auto& name) { return "module." + name; }), vgg)
            .known_as() == "torchvision's VGG16");
  // The same names with other shapes: somebody's own model.
  const nn::Model own = nn::ModelBuilder("own", {32, 32, 3}).conv(8).named("features.0").build();
  const auto small =
      write_torch(scratch, {{"features.0.weight", {8, 3, 3, 3}}, {"features.0.bias", {8}}});
  CHECK(!Pretrained(small, own).preprocessing());
  CHECK(Pretrained(small, own).known_as().empty());
}

TEST_CASE("Keras's published VGG16 is known by names and shapes, and a relative is not") {
  const Scratch scratch;
  const nn::Model vgg = nn::vgg16({32, 32, 3}, 0);
  const auto write = [&](const char* name, std::int64_t last_filters) {
    const Hdf5Writer file(scratch / name);
    std::vector<std::string> layers;
    for (const nn::Parameter& p : nn::parameters(vgg)) {
      if (p.role != nn::Role::kernel) continue;
      const std::string layer(nn::vgg16_keras_name(p.name.substr(0, p.name.rfind('.'))));
      layers.push_back(layer);
      const std::int64_t out = layer == "block5_conv3" ? last_filters : p.shape[0];
      file.group(layer);
      file.strings(layer, "weight_names", {layer + "/kernel:0", layer + "/bias:0"});
      file.dataset(layer + "/" + layer + "/bias:0", {static_cast<hsize_t>(out)},
                   std::vector<float>(static_cast<std::size_t>(out)));
      file.dataset(layer + "/" + layer + "/kernel:0",
                   {3, 3, static_cast<hsize_t>(p.shape[1]), static_cast<hsize_t>(out)},
                   std::vector<float>(static_cast<std::size_t>(9 * p.shape[1] * out)));
    }
    file.strings(".", "layer_names", layers);
    return scratch / name;
  };
  const Pretrained published(write("published.h5", 512), nn::with_head(vgg, "gap,dense", 2));
  CHECK(published.preprocessing() == nn::preprocessing_named("caffe"));
  CHECK(published.known_as() == "Keras's VGG16");
  nn::Model other = vgg;
  for (nn::Layer& layer : other.layers) {
    if (layer.name != "features.28") continue;
    nn::Conv2D wider = *layer.kind.get_if<nn::Conv2D>();
    wider.filters = 500;
    layer.kind = wider;
  }
  CHECK(!Pretrained(write("other.h5", 500), other).preprocessing());
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
  CHECK_THAT(error, Contains(" has nothing for other.10000, other.10001, ") &&
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
