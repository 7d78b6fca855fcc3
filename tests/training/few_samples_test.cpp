// Who has few photographs is told what does better, and nobody else.

#include "catch.h"
#include "nodes/numbered.h"

#include <millrace/training/few_samples.h>

using namespace millrace;
using Catch::Contains;

namespace {

TrainingData images(std::uint32_t count) {
  return {.training = SampleSet::all(std::make_shared<const Numbered>(count)),
          .validation = {},
          .description = {},
          .validation_description = {}};
}

nn::Model seeing(const Shape& input) {
  return nn::ModelBuilder("small", input).flatten().dense(2).softmax().build();
}

const Shape kPhotograph{150, 150, 3};

}  // namespace

TEST_CASE("few photographs that are learnt from alone have a line with what does better") {
  const TrainSpec spec{.data = {.path = "PHOTOS"}};
  CHECK_THAT(
      advice_for_few(spec, images(190), seeing(kPhotograph)),
      Contains("190 images are few") && Contains("millrace train PHOTOS --recipe transfer.ini"));
  CHECK_FALSE(advice_for_few(spec, images(kFewSamples - 1), seeing(kPhotograph)).empty());
}

TEST_CASE("there is no advice for few images where it would not be true") {
  const auto is_silent = [](const TrainSpec& spec, const TrainingData& data,
                            const nn::Model& model) {
    return advice_for_few(spec, data, model).empty();
  };
  const TrainSpec spec{.data = {.path = "PHOTOS"}};
  CHECK(is_silent(spec, images(kFewSamples), seeing(kPhotograph)));
  CHECK(is_silent(spec, images(190), seeing({28, 28, 3})));
  CHECK(is_silent(spec, images(190), seeing({150, 150, 1})));
  CHECK(is_silent(spec, images(190), seeing({784})));

  nn::Model of_targets = seeing(kPhotograph);
  of_targets.targets = {"a", "b"};
  CHECK(is_silent(spec, images(190), of_targets));
  TrainSpec other = spec;
  other.model.weights = "vgg16";
  CHECK(is_silent(other, images(190), seeing(kPhotograph)));
  other = spec;
  other.labels.class_mode = ClassMode::input;
  CHECK(is_silent(other, images(190), seeing(kPhotograph)));
  other = spec;
  other.data.replay = 2;
  CHECK(is_silent(other, images(190), seeing(kPhotograph)));
  other = spec;
  other.data.path = "generated:190x150x150x3:2";
  CHECK(is_silent(other, images(190), seeing(kPhotograph)));
}
