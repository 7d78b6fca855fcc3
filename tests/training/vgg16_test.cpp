// VGG16 as a whole against what Keras and torchvision said of the same images and weights.

#include "catch.h"
#include "io/scratch.h"
#include "training/vgg16_outputs.h"

#include <millrace/training/model_with_weights.h>
#include <millrace/training/prediction.h>

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

namespace {

/// The images of record_vgg16.py as samples.
class RuleImages final : public Dataset {
 public:
  RuleImages(std::uint32_t seed, std::uint32_t count, Shape shape)
      : shape_(shape),
        pixels_(rule_images(seed, count * static_cast<std::size_t>(shape.elements()))),
        count_(count) {}
  [[nodiscard]] std::uint32_t size() const noexcept override { return count_; }
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return classes_;
  }
  [[nodiscard]] int label(std::uint32_t) const override { return 0; }
  [[nodiscard]] std::string name(std::uint32_t) const override { return "image"; }
  [[nodiscard]] Bytes index_bytes() const noexcept override { return {}; }
  [[nodiscard]] Shape natural_shape() const override { return shape_; }
  [[nodiscard]] DType dtype() const noexcept override { return DType::u8; }
  void load(std::uint32_t index, TensorView target, Filter, Decoder&) const override {
    const auto elements = static_cast<std::size_t>(shape_.elements());
    std::ranges::copy(std::span(pixels_).subspan(index * elements, elements),
                      target.as<std::uint8_t>().begin());
  }

 private:
  Shape shape_;
  std::vector<std::uint8_t> pixels_;
  std::uint32_t count_;
  std::vector<std::string> classes_;
};

}  // namespace

TEST_CASE("VGG16 by its name, with weights and without training, gives torchvision's outputs") {
  const Scratch scratch;
  const auto recorded = read_json(MILLRACE_TEST_DATA "/nodes/vgg16.json");
  const auto seed = recorded.at("seed").get<std::uint32_t>();
  const auto side = recorded.at("size").get<int>();
  const nn::Model model = vgg16_of(recorded, true);
  const auto arena =
      rule_weights(model, seed, recorded.at("output_scale").at("torch").get<double>());
  std::vector<NamedTensor> tensors;
  for (const nn::Parameter& p : nn::parameters(model)) {
    tensors.push_back({p.name, p.shape,
                       std::span(arena).subspan(static_cast<std::size_t>(p.offset),
                                                static_cast<std::size_t>(p.shape.elements()))});
  }
  write_safetensors(scratch / "vgg16.safetensors", tensors);
  ModelRequest request{.model = {.name = "vgg16",
                                 .weights = (scratch / "vgg16.safetensors").string(),
                                 .flatten_order = FlattenOrder::channels_last}};
  CHECK_THROWS_WITH((void)open_model("ask", request),
                    Catch::Contains("from 64x64 to 95x95; say which"));
  request.size = ImageSize{side, side};
  ModelWithWeights opened = open_model("ask", request);
  CHECK_THAT(opened.notes.at(1), Catch::Contains("(of torchvision's VGG16)"));

  const auto expected = recorded.at("torch").at("output").get<std::vector<float>>();
  const auto width = recorded.at("classes").get<std::size_t>();
  const auto images = std::make_shared<const RuleImages>(
      seed, static_cast<std::uint32_t>(expected.size() / width), opened.saved.model.input);
  const PredictionSession session(cpu::make_engine(), std::move(opened.saved),
                                  SampleSet::all(images));
  std::vector<float> outputs;
  (void)session.run([&](const Predicted& some) {
    outputs.insert(outputs.end(), some.values.begin(), some.values.end());
  });
  CHECK(relative_difference(outputs, expected) < kTolerance);
}
