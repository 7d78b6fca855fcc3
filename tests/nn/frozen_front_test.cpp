// A model cut where its frozen layers end, and the executor that takes features for the whole.

#include "catch.h"

#include <millrace/core/random.h>
#include <millrace/nn/frozen_front.h>
#include <millrace/nn/head_executor.h>
#include <millrace/nn/initialize.h>
#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/reference/engine.h>
#include <millrace/nn/transfer.h>

#include <cmath>
#include <numeric>
#include <string>
#include <vector>

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

namespace {

const Shape kInput{6, 6, 3};

/// Convolutions, and a head with dropout and a batch norm of its own.
Model small_model(const std::string& frozen) {
  Model model = ModelBuilder("small", kInput)
                    .conv(4)
                    .batch_norm()
                    .relu()
                    .conv(5)
                    .relu()
                    .global_avg_pool()
                    .dense(6)
                    .named("head.dense1")
                    .batch_norm()
                    .named("head.norm")
                    .relu()
                    .dropout(0.4F)
                    .dense(3)
                    .named("head.dense2")
                    .softmax()
                    .build();
  freeze(model, frozen);
  return model;
}

std::vector<float> random_values(std::size_t count, std::uint64_t seed) {
  Random random(seed, 0, 0, Purpose::user);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.uniform());
  return values;
}

/// A batch of images or of features, which tests keep.
struct Samples {
  std::vector<float> values;
  std::vector<std::int32_t> labels;
  std::vector<std::uint64_t> positions;
  Shape shape;

  [[nodiscard]] Batch view(std::uint32_t pass) const {
    Batch batch;
    const auto n = static_cast<std::int64_t>(labels.size());
    batch.input = ConstTensorView(std::span<const float>(values), shape.with_front(n));
    batch.labels = ConstTensorView(std::span<const std::int32_t>(labels), {n});
    batch.positions = positions;
    batch.pass = pass;
    batch.samples = n;
    return batch;
  }
};

Samples some_images(std::int64_t count) {
  Samples samples{.values = random_values(static_cast<std::size_t>(count * kInput.elements()), 7),
                  .labels = {},
                  .positions = {},
                  .shape = kInput};
  for (std::int64_t i = 0; i < count; ++i) {
    samples.labels.push_back(static_cast<std::int32_t>(i % 3));
    samples.positions.push_back(static_cast<std::uint64_t>(100 + i));
  }
  return samples;
}

}  // namespace

TEST_CASE("a frozen front reaches as far as no weight trains and nothing draws") {
  const Model model = small_model("conv,batch_norm1");
  const FrontSearch found = find_frozen_front(model);
  REQUIRE(found.front);
  CHECK(found.is_frozen);
  CHECK(found.why_not.empty());
  CHECK(found.front->last == "global_avg_pool1");  // has no weights, and draws nothing
  CHECK(found.front->features == Shape{5});
  CHECK(found.front->front.layers.size() == 6);
  const Model& head = found.front->head;
  CHECK(head.input == Shape{5});
  REQUIRE(head.layers.size() == model.layers.size());
  for (std::size_t i = 0; i < head.layers.size(); ++i) {
    CHECK(head.layers[i].name == model.layers[i].name);
    if (i >= 6) CHECK(head.layers[i] == model.layers[i]);
  }
}

TEST_CASE("features that are images are cut as a row of numbers") {
  Model model = ModelBuilder("net", kInput).conv(4).relu().conv(2).flatten().dense(2).build();
  freeze(model, "conv1");
  const FrontSearch found = find_frozen_front(model);
  REQUIRE(found.front);
  CHECK(found.front->last == "relu1");
  CHECK(found.front->features == Shape{4, 4, 4});
  CHECK(summarize(found.front->front).back().output == Shape{64});
  CHECK(found.front->head.input == Shape{4, 4, 4});
}

TEST_CASE("a model without frozen layers has no front, and nobody is told why") {
  const FrontSearch found =
      find_frozen_front(ModelBuilder("net", {4}).dense(3).relu().dense(2).build());
  CHECK_FALSE(found.is_frozen);
  CHECK_FALSE(found.front);
  CHECK(found.why_not.empty());
}

TEST_CASE("a front that draws at random in training is none") {
  const auto why = [](const ModelBuilder& builder, const char* frozen) {
    Model model = builder.build();
    freeze(model, frozen);
    const FrontSearch found = find_frozen_front(model);
    return found.front ? concat("cut behind ", found.front->last) : found.why_not;
  };
  const ModelBuilder inside =
      ModelBuilder("net", kInput).conv(4).dropout(0.5F).conv(4).flatten().dense(2);
  CHECK(why(inside, "conv") == "'dropout1' draws at random in training; freeze it too");
  CHECK(why(inside, "conv,dropout") == "cut behind flatten1");  // frozen, it is off
  CHECK(why(inside, "conv1") == "cut behind conv1");  // what is random comes behind it all
  const ModelBuilder behind = ModelBuilder("net", kInput).conv(4).flatten().dropout(0.5F).dense(2);
  CHECK(why(behind, "conv") == "cut behind flatten1");
  const ModelBuilder never = ModelBuilder("net", kInput).conv(4).dropout(0).flatten().dense(2);
  CHECK(why(never, "conv") == "cut behind flatten1");
  const ModelBuilder skipping =
      ModelBuilder("net", kInput)
          .conv(3, 3, Padding::same)
          .residual([](ModelBuilder& b) { b.conv(3, 3, Padding::same).stochastic_depth(0.2F); })
          .conv(2)
          .flatten()
          .dense(2);
  CHECK(why(skipping, "conv") == "'stochastic_depth1' draws at random in training; freeze it too");
  CHECK(why(skipping, "conv,stochastic") == "cut behind flatten1");
  CHECK(why(skipping, "conv1") == "cut behind conv1");
}

TEST_CASE("a front ends where all values of the model pass") {
  Model model = ModelBuilder("net", kInput)
                    .conv(3, 3, Padding::same)
                    .residual([](ModelBuilder& b) {
                      b.conv(3, 3, Padding::same).relu().conv(3, 3, Padding::same);
                    })
                    .flatten()
                    .dense(2)
                    .build();
  freeze(model, "conv1,conv2");
  const FrontSearch within = find_frozen_front(model);  // the branch's last convolution trains
  REQUIRE(within.front);
  CHECK(within.front->last == "conv1");
  freeze(model, "conv3");
  const FrontSearch behind = find_frozen_front(model);
  REQUIRE(behind.front);
  CHECK(behind.front->last == "flatten1");
}

TEST_CASE("layers that are frozen behind one that trains make no front") {
  CHECK(find_frozen_front(small_model("conv2")).why_not ==
        "'conv1', which trains, comes before all frozen layers");
}

TEST_CASE("features and a head give what the whole model gives") {
  const ReferenceEngine engine;
  const Model model = small_model("conv,batch_norm1");
  const FrozenFront cut = *find_frozen_front(model).front;
  CompileOptions options{.batch = 5, .optimizer = {.kind = OptimizerKind::adam}, .seed = 3};
  options.average = 0.9;
  const std::shared_ptr<Executor> whole = engine.compile(model, options);
  HeadExecutor head(model, engine.compile(cut.head, options));
  std::vector<float> weights =
      random_values(static_cast<std::size_t>(arena_elements(parameters(model))), 11);
  whole->allocate();
  head.allocate();
  whole->write(Arena::parameters, weights);
  head.write(Arena::parameters, whole->read(Arena::parameters));
  CHECK(head.model() == model);
  CHECK(head.read(Arena::parameters) == whole->read(Arena::parameters));

  const auto front =
      engine.compile(cut.front, {.batch = 5, .training = false, .loss = Loss::mean_squared_error});
  front->allocate();
  front->write(Arena::parameters, head.front_weights());
  const Samples images = some_images(5);
  Samples features = images;
  features.shape = cut.features;
  features.values.resize(static_cast<std::size_t>(5 * cut.features.elements()));
  front->predict(images.view(0), features.values);

  // Features are float32 between float64 steps. Dropout is on: its masks must be the same.
  constexpr double kRounding = 1e-5;
  for (std::uint32_t step = 1; step <= 6; ++step) {
    const StepResult expected = whole->train(images.view(step), step, 0.01);
    const StepResult result = head.train(features.view(step), step, 0.01);
    CHECK(std::abs(result.loss_sum - expected.loss_sum) < kRounding);
    CHECK(result.correct == expected.correct);
  }
  CHECK(std::abs(head.evaluate(features.view(0)).loss_sum -
                 whole->evaluate(images.view(0)).loss_sum) < kRounding);
  for (const Arena arena : {Arena::parameters, Arena::state0, Arena::state1, Arena::average}) {
    const std::vector<float> expected = whole->read(arena), values = head.read(arena);
    REQUIRE(values.size() == expected.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      CHECK(std::abs(values[i] - expected[i]) < 1e-4F);
    }
  }
  // Averages in the place of weights are those of the whole too.
  head.swap_average();
  whole->swap_average();
  const std::vector<float> expected = whole->read(Arena::parameters);
  const std::vector<float> swapped = head.read(Arena::parameters);
  for (std::size_t i = 0; i < swapped.size(); ++i) {
    CHECK(std::abs(swapped[i] - expected[i]) < 1e-4F);
  }
}
