// Files with torchvision's names and shapes for the networks of the zoo. That those are
// torchvision's tests/nn/zoo_networks_test.cpp checks.

#include <millrace/core/error.h>
#include <millrace/io/safetensors.h>
#include <millrace/nn/transfer.h>
#include <millrace/nn/zoo/zoo.h>
#include <millrace/training/pretrained.h>

#include "catch.h"
#include "io/hdf5_files.h"
#include "io/scratch.h"
#include "nn/rule.h"

#include <filesystem>

using namespace millrace;
using namespace millrace::test;

namespace {

/// One of each family. VGG's has a test of its own.
constexpr const char* kNetworks[] = {"resnet18",           "resnet50",        "mobilenet_v2:0.35",
                                     "mobilenet_v3_small", "efficientnet_b0", "efficientnet_lite0",
                                     "squeezenet1_1",      "convnext_tiny"};

std::vector<float> weights_of(const nn::Model& model) {
  const std::vector<nn::Parameter> parameters = nn::parameters(model);
  std::vector<float> arena(static_cast<std::size_t>(nn::arena_elements(parameters)));
  for (const nn::Parameter& p : parameters) {
    const std::uint32_t tensor = hash(p.name);
    for (std::uint32_t i = 0; i < p.shape.elements(); ++i) {
      arena[static_cast<std::size_t>(p.offset) + i] = static_cast<float>(unit(1, tensor, i));
    }
  }
  return arena;
}

std::filesystem::path write_as_torchvision(const std::filesystem::path& path,
                                           const nn::Model& model,
                                           const std::vector<float>& arena) {
  std::vector<NamedTensor> tensors;
  for (const nn::Parameter& p : nn::parameters(model)) {
    const nn::TorchTensor tensor = nn::zoo_torch_tensor(model, p);
    tensors.push_back({tensor.name, tensor.shape,
                       std::span(arena).subspan(static_cast<std::size_t>(p.offset),
                                                static_cast<std::size_t>(p.shape.elements()))});
  }
  write_safetensors(path, tensors);
  return path;
}

}  // namespace

TEST_CASE("Networks of the zoo load files with torchvision's names whole") {
  for (const char* spec : kNetworks) {
    INFO(spec);
    const Scratch scratch;
    const nn::Model model = nn::zoo_model(spec, {64, 64, 3}, 10);
    const std::vector<float> arena = weights_of(model);
    const auto file = write_as_torchvision(scratch / "torch.safetensors", model, arena);
    const Pretrained weights(file, model);
    CHECK(weights.missing().empty());
    CHECK(weights.left_over().empty());
    std::vector<float> loaded(arena.size());
    weights.load(loaded);
    CHECK(loaded == arena);
  }
}

TEST_CASE("Networks of the zoo take a file with another number of classes but for the last layer") {
  for (const char* spec : kNetworks) {
    INFO(spec);
    const Scratch scratch;
    const nn::Model published = nn::zoo_model(spec, {64, 64, 3}, 10);
    const auto file =
        write_as_torchvision(scratch / "torch.safetensors", published, weights_of(published));
    const nn::Model model = nn::zoo_model(spec, {64, 64, 3}, 3);
    const Pretrained weights(file, model);
    CHECK(weights.missing().size() == 2);
    CHECK(weights.left_over().empty());
  }
}

TEST_CASE("A new head takes the features of a file of torchvision's and nothing else") {
  for (const char* spec : kNetworks) {
    INFO(spec);
    const Scratch scratch;
    const nn::Model published = nn::zoo_model(spec, {64, 64, 3}, 10);
    const auto file =
        write_as_torchvision(scratch / "torch.safetensors", published, weights_of(published));
    const std::size_t base = nn::base_layers(published);
    const nn::Model model = nn::with_head(published, "gap,dense", 3);
    const Pretrained weights(file, model, base);
    CHECK(weights.missing() == std::vector<std::string>{"head.dense1.weight", "head.dense1.bias"});
    for (const std::string& name : weights.left_over()) {
      INFO(name);
      CHECK(
          (name.starts_with("classifier.") || name.starts_with("fc.") || name.starts_with("_fc.")));
    }
  }
}

TEST_CASE(
    "Weights of Keras are refused for torchvision's form of a network, and PyTorch's for Keras's") {
  const Scratch scratch;
  const nn::Model model = nn::zoo_model("mobilenet_v2:0.35", {64, 64, 3}, 10);
  const auto file = write_as_torchvision(scratch / "v2.safetensors", model, weights_of(model));
  CHECK_THROWS_WITH(
      Pretrained(file, nn::zoo_model("mobilenet_v2:0.35:keras", {64, 64, 3}, 10)),
      Catch::Contains("weights of PyTorch, whose network differs from 'mobilenet_v2:0.35:keras' in "
                      "padding or epsilon; the model that they are for is mobilenet_v2:0.35"));

  const auto keras = scratch / "v2.h5";
  {
    const Hdf5Writer writer(keras);
    writer.group("Conv1");
    writer.strings("Conv1", "weight_names", {"Conv1/kernel:0"});
    writer.dataset("Conv1/Conv1/kernel:0", {3, 3, 3, 16}, std::vector<float>(432));
    writer.strings(".", "layer_names", {"Conv1"});
  }
  CHECK_THROWS_WITH(
      Pretrained(keras, model),
      Catch::Contains("weights of Keras, whose network differs from "
                      "'mobilenet_v2:0.35' in padding or epsilon; the model that they are for is "
                      "mobilenet_v2:0.35:keras"));
  CHECK(Pretrained(keras, nn::zoo_model("mobilenet_v2:0.35:keras", {64, 64, 3}, 10)).matched() ==
        std::vector<std::string>{"features.0.0.weight"});
}

TEST_CASE("A ResNet of another depth is refused by the tensor that it lacks") {
  const Scratch scratch;
  const nn::Model model = nn::zoo_model("resnet18", {32, 32, 3}, 10);
  const auto file =
      write_as_torchvision(scratch / "resnet18.safetensors", model, weights_of(model));
  CHECK_THROWS_WITH(Pretrained(file, nn::zoo_model("resnet34", {32, 32, 3}, 10)),
                    Catch::Contains("it has no 'layer1.2.conv1.weight'"));
  CHECK_THROWS_AS(Pretrained(file, nn::zoo_model("resnet50", {32, 32, 3}, 10)), Error);
}
