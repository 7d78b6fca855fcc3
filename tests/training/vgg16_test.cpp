// VGG16 as a whole against what Keras and torchvision said of the same images and weights.

#include "catch.h"
#include "training/vgg16_outputs.h"

using namespace millrace;
using namespace millrace::test;

TEST_CASE("VGG16 gives Keras's and torchvision's outputs of two images") {
  const auto recorded = read_json(MILLRACE_TEST_DATA "/nodes/vgg16.json");
  const auto seed = recorded.at("seed").get<std::uint32_t>();
  for (const auto& [family, words] : {std::pair("keras", "caffe"), std::pair("torch", "torch")}) {
    INFO(family);
    nn::Model model = vgg16_of(recorded, true);
    const auto arena =
        rule_weights(model, seed, recorded.at("output_scale").at(family).get<double>());
    model.preprocessing = nn::preprocessing_named(words);
    CHECK(difference(model, arena, recorded.at(family).at("output"), seed) < kTolerance);

    nn::Model base = vgg16_of(recorded, false);
    const std::vector<nn::Parameter> parameters = nn::parameters(base);
    const std::vector<float> features(arena.begin(),
                                      arena.begin() + nn::arena_elements(parameters));
    base.preprocessing = model.preprocessing;
    CHECK(difference(base, features, recorded.at(family).at("features"), seed) < kTolerance);
  }
}
