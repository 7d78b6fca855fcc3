// What a file of weights tells of where it comes from: prefixes of wrappers, the order of flattened
// inputs, published models.

#include "io/hdf5_files.h"
#include "training/small_network.h"
#include "training/vgg16_rule.h"

#include <millrace/nn/initialize.h>
#include <millrace/nn/layers/conv2d.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nn/transfer.h>

#include <optional>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

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
