// Files of VGG16 that Keras, PyTorch and timm's names bring, full size, written for this test.

#include "catch.h"
#include "io/scratch.h"
#include "peers.h"
#include "training/vgg16_outputs.h"

#include <millrace/training/pretrained.h>
#include <millrace/training/saved_model.h>

using namespace millrace;
using namespace millrace::test;

TEST_CASE("weight files that Keras and PyTorch write give their outputs") {
  const auto python = peers_python();
  if (!python) return;
  const Scratch scratch;
  const auto recorded =
      nlohmann::json::parse(ask_peer(*python, "../reference/record_vgg16.py",
                                     {"--seed", "2", "--files", scratch.path().string()}));
  for (const auto& [name, family] :
       {std::pair("keras_top.h5", "keras"), std::pair("keras_notop.h5", "keras"),
        std::pair("keras_top.weights.h5", "keras"), std::pair("torch.safetensors", "torch"),
        std::pair("timm.safetensors", "torch")}) {
    INFO(name);
    const bool is_top = std::string_view(name).find("notop") == std::string_view::npos;
    nn::Model model = vgg16_of(recorded, is_top);
    const Pretrained weights(scratch / name, model);
    CHECK(weights.missing().empty());
    CHECK(weights.left_over().empty());
    std::vector<float> arena(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
    weights.load(arena);
    CHECK(arena == rule_weights(model, 2, recorded.at("output_scale").at(family).get<double>()));
    REQUIRE(weights.preprocessing());
    model.preprocessing = *weights.preprocessing();
    const double found =
        difference(model, arena, recorded.at(family).at(is_top ? "output" : "features"), 2);
    std::cout << name << ": relative difference " << found << '\n';
    CHECK(found < kTolerance);
  }
}

TEST_CASE("weights of Keras that were converted give PyTorch the outputs of Keras") {
  const auto python = peers_python();
  if (!python) return;
  const Scratch scratch;
  const auto recorded =
      nlohmann::json::parse(ask_peer(*python, "../reference/record_vgg16.py",
                                     {"--seed", "3", "--files", scratch.path().string()}));
  const nn::Model model = vgg16_of(recorded, true);
  std::vector<float> arena(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  Pretrained(scratch / "keras_top.h5", model).load(arena);
  const auto converted = scratch / "converted.safetensors";
  save_model(converted, model, arena, FlattenOrder::channels_first);
  const auto outputs =
      nlohmann::json::parse(ask_peer(*python, "run_vgg16.py", {converted.string(), "3"}));
  const double found =
      relative_difference(outputs.get<std::vector<float>>(),
                          recorded.at("keras").at("output").get<std::vector<float>>());
  std::cout << "converted: relative difference " << found << '\n';
  CHECK(found < kTolerance);
}
