// What convert weights writes of the zoo's networks: torchvision's tensors, which come back to the
// bit.

#include <millrace/io/safetensors.h>
#include <millrace/nn/zoo/zoo.h>
#include <millrace/training/pretrained.h>
#include <millrace/training/saved_model.h>

#include "catch.h"
#include "io/scratch.h"
#include "nn/rule.h"

#include <map>

using namespace millrace;
using namespace millrace::test;

namespace {

using Tensors = std::map<std::string, std::pair<Shape, std::vector<float>>>;

Tensors tensors_of(const std::filesystem::path& path) {
  const SafetensorsFile file(path);
  Tensors result;
  for (const auto& tensor : file.tensors()) {
    std::vector<float> values(static_cast<std::size_t>(tensor.shape.elements()));
    file.read(tensor.name, values);
    result[tensor.name] = {tensor.shape, std::move(values)};
  }
  return result;
}

}  // namespace

TEST_CASE("a file with torchvision's tensors is written again as it was") {
  for (const char* spec : {"resnet18", "mobilenet_v2:0.35", "mobilenet_v3_small",
                           "efficientnet_lite0", "squeezenet1_1", "convnext_tiny"}) {
    INFO(spec);
    const Scratch scratch;
    const nn::Model model = nn::zoo_model(spec, {64, 64, 3}, 10);
    Tensors theirs;
    for (const nn::Parameter& p : nn::parameters(model)) {
      nn::TorchTensor tensor = nn::zoo_torch_tensor(model, p);
      std::vector<float> values;
      for (std::uint32_t i = 0; i < p.shape.elements(); ++i) {
        values.push_back(static_cast<float>(unit(1, hash(p.name), i)));
      }
      theirs[tensor.name] = {tensor.shape, std::move(values)};
    }
    std::vector<NamedTensor> tensors;
    for (const auto& [name, tensor] : theirs)
      tensors.push_back({name, tensor.first, tensor.second});
    write_safetensors(scratch / "theirs.safetensors", tensors);

    std::vector<float> arena(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
    Pretrained(scratch / "theirs.safetensors", model).load(arena);
    const auto written = scratch / "written.safetensors";
    save_model(written, model, arena, FlattenOrder::channels_first);
    CHECK(tensors_of(written) == theirs);
    // As a model, and as weights of one.
    CHECK(load_model(written).parameters == arena);
    std::vector<float> again(arena.size());
    Pretrained(written, model).load(again);
    CHECK(again == arena);
  }
}

TEST_CASE("torchvision's names of ConvNeXt's scales and dense layers are those of the file") {
  const Scratch scratch;
  const nn::Model model = nn::zoo_model("convnext_tiny", {32, 32, 3}, 2);
  std::vector<float> arena(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  save_model(scratch / "torch.safetensors", model, arena, FlattenOrder::channels_first);
  const SafetensorsFile file(scratch / "torch.safetensors");
  REQUIRE(file.find("features.1.0.layer_scale") != nullptr);
  CHECK(file.find("features.1.0.layer_scale")->shape == Shape{96, 1, 1});
  REQUIRE(file.find("features.1.0.block.3.weight") != nullptr);
  CHECK(file.find("features.1.0.block.3.weight")->shape == Shape{384, 96});
  // Our own files keep our names.
  save_model(scratch / "ours.safetensors", model, arena);
  CHECK(SafetensorsFile(scratch / "ours.safetensors").find("features.1.0.layer_scale.weight") !=
        nullptr);
  CHECK(load_model(scratch / "ours.safetensors").model == model);
}
