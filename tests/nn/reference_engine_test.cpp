#include <millrace/nn/initialize.h>
#include <millrace/nn/layers/dropout.h>
#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/reference/engine.h>

#include "catch.h"
#include "nn/reference_samples.h"

#include <algorithm>
#include <cmath>

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

TEST_CASE("Steps begun in one go are the steps one by one, to the bit") {
  const Model model = ModelBuilder("m", {3}).dense(4).dropout(0.5F).dense(2).softmax().build();
  const CompileOptions options{.batch = 4, .optimizer = {.kind = OptimizerKind::adam}};
  const Samples ten(10, 12);  // two steps of four and one of two
  const std::vector<std::uint64_t> positions{5, 3, 8, 1, 0, 9, 2, 7, 4, 6};
  Batch whole = ten.batch();
  whole.positions = positions;
  const std::vector<double> rates{0.1, 0.05, 0.01};
  const auto together = compiled(model, options), apart = compiled(model, options);
  together->start_steps(whole, 4, 7, rates);
  for (std::int64_t i = 0; i < 3; ++i) {
    apart->start_train(slice(whole, 4 * i, i < 2 ? 4 : 2), 7 + i,
                       rates[static_cast<std::size_t>(i)]);
  }
  const StepResult result = together->finish();
  CHECK(result.samples == 10);
  CHECK(result.loss_sum == apart->finish().loss_sum);
  CHECK(std::ranges::equal(together->parameters(), apart->parameters()));
}

TEST_CASE("Rows beyond the valid samples change nothing") {
  const Model model =
      ModelBuilder("m", {3}).dense(4).batch_norm().relu().dense(2).softmax().build();
  const Samples padded(3, 4), exact(3, 3);
  const auto executor = compiled(model, {.batch = 4});
  const auto one = compiled(model, {.batch = 3});
  const StepResult with_holes = executor->gradients(padded.batch());
  const StepResult without = one->gradients(exact.batch());
  CHECK(with_holes.samples == 3);
  CHECK(with_holes.loss_sum == without.loss_sum);
  CHECK(std::ranges::equal(executor->gradient(), one->gradient()));
  CHECK(std::ranges::equal(executor->parameters(), one->parameters()));
}

TEST_CASE("A training step moves trainable parameters against the gradient and no others") {
  Model model = kModel;
  model.layers[0].trainable = false;
  const auto executor = compiled(model, {.batch = 4});
  const std::vector<double> before(executor->parameters().begin(), executor->parameters().end());
  executor->train(Samples(4).batch(), 1, 0.5);
  const std::vector<Parameter> all = parameters(model);
  const auto trainable = static_cast<std::size_t>(trainable_elements(all));
  REQUIRE(trainable == 32);  // 2 x 4 and 2, each to the next multiple of 16
  for (std::size_t i = 0; i < before.size(); ++i) {
    const double step = i < trainable ? 0.5 * executor->gradient()[i] : 0;
    CHECK(executor->parameters()[i] == before[i] - step);
  }
}

TEST_CASE("Training lowers the loss until every sample is right") {
  const auto executor = compiled(kModel, {.batch = 4, .optimizer = {.kind = OptimizerKind::adam}});
  const Samples samples(4);
  const double before = executor->evaluate(samples.batch()).mean_loss();
  for (std::int64_t t = 1; t <= 300; ++t) executor->train(samples.batch(), t, 0.05);
  const StepResult after = executor->evaluate(samples.batch());
  CHECK(after.mean_loss() < 0.05 * before);
  CHECK(after.correct == 4);
}

TEST_CASE("predict gives probabilities, needs no labels, and agrees with evaluate") {
  const auto executor = compiled(kModel, {.batch = 4});
  const Samples samples(4);
  Batch batch = samples.batch();
  const StepResult evaluated = executor->evaluate(batch);
  batch.labels = {};
  std::vector<float> outputs(8);
  executor->predict(batch, outputs);
  double loss = 0;
  for (std::size_t n = 0; n < 4; ++n) {
    CHECK(outputs[2 * n] + outputs[2 * n + 1] == Approx(1));
    loss -= std::log(static_cast<double>(outputs[2 * n + n % 2]));
  }
  CHECK(loss == Approx(evaluated.loss_sum).epsilon(1e-6));
}

TEST_CASE("Dropout acts in training alone and follows the position, not the row") {
  const Model model = ModelBuilder("m", {3}).dense(8).dropout(0.5F).dense(2).softmax().build();
  const auto executor = compiled(model, {.batch = 4, .seed = 3});
  const Samples samples(4);
  Batch batch = samples.batch();
  const double evaluated = executor->evaluate(batch).loss_sum;
  const double trained = executor->gradients(batch).loss_sum;
  CHECK(trained != evaluated);
  CHECK(executor->gradients(batch).loss_sum == trained);

  const std::vector<std::uint64_t> positions{0, 1, 2, 3};
  batch.positions = positions;
  CHECK(executor->gradients(batch).loss_sum == trained);
  batch.pass = 1;
  CHECK(executor->gradients(batch).loss_sum != trained);

  // The two halves of the batch, each on its own, under their own positions.
  batch.pass = 0;
  batch.samples = 2;
  double halves = executor->gradients(batch).loss_sum;
  batch.input.data += 2 * 3 * sizeof(float);
  batch.labels.data += 2 * sizeof(std::int32_t);
  batch.input.shape = {2, 3};
  batch.labels.shape = {2};
  batch.positions = std::span(positions).subspan(2);
  halves += executor->gradients(batch).loss_sum;
  CHECK(halves == Approx(trained).epsilon(1e-12));
}

TEST_CASE("Dropout divides what it keeps by the share that it keeps") {
  const Model model = ModelBuilder("m", {40}).dropout(0.25F).dense(1, false).sigmoid().build();
  const auto executor = compiled(model, {.batch = 1, .seed = 8});
  std::ranges::fill(executor->parameters(), 0.125);  // so that the logit is far from saturation
  const std::vector<float> ones(40, 1.0F);
  const std::vector<std::int32_t> label{1};
  const std::vector<std::uint64_t> positions{6};
  const StepResult result =
      executor->gradients({.input = ConstTensorView(std::span<const float>(ones), {1, 40}),
                           .labels = ConstTensorView(std::span<const std::int32_t>(label), {1}),
                           .samples = 1,
                           .pass = 2,
                           .positions = positions});
  std::vector<std::uint8_t> mask(40);
  dropout_mask(8, 2, 6, 0, 0.25F, mask);
  const double logit = 0.125 / 0.75 * static_cast<double>(std::ranges::count(mask, 1));
  CHECK(result.loss_sum == Approx(std::log1p(std::exp(-logit))).epsilon(1e-12));
}

TEST_CASE("Arenas read back what was written, and those that do not exist are refused") {
  const auto executor =
      compiled(kModel, {.batch = 4, .optimizer = {.kind = OptimizerKind::sgd, .momentum = 0.9}});
  const auto trainable = static_cast<std::size_t>(trainable_elements(parameters(kModel)));
  std::vector<float> arena(trainable);
  for (std::size_t i = 0; i < trainable; ++i) arena[i] = static_cast<float>(i);
  executor->write(Arena::state0, arena);
  std::vector<float> back(trainable);
  executor->read(Arena::state0, back);
  CHECK(back == arena);
  CHECK_THROWS_WITH(executor->read(Arena::state1, back),
                    "no state 1 to read or write: sgd keeps 1 state arenas with these options");
  CHECK_THROWS_AS(executor->read(Arena::parameters, std::span(back).first(3)), std::logic_error);
}

TEST_CASE("An arena is read as a vector of as many values as it has") {
  Model model = kModel;
  model.layers.front().trainable = false;
  const auto compiled_executor =
      compiled(model, {.batch = 4, .optimizer = {.kind = OptimizerKind::sgd, .momentum = 0.9}});
  const Executor& executor = *compiled_executor;
  const auto all = static_cast<std::size_t>(arena_elements(parameters(model)));
  const auto trainable = static_cast<std::size_t>(trainable_elements(parameters(model)));
  REQUIRE(trainable < all);
  std::vector<float> same(all);
  executor.read(Arena::parameters, same);
  CHECK(executor.read(Arena::parameters) == same);
  CHECK(executor.read(Arena::state0) == std::vector<float>(trainable));
  CHECK_THROWS_WITH(executor.read(Arena::state1),
                    "no state 1 to read or write: sgd keeps 1 state arenas with these options");
}

TEST_CASE("Without training there are no gradients and no state") {
  const auto executor = compiled(kModel, {.batch = 4, .training = false});
  CHECK_NOTHROW(executor->evaluate(Samples(4).batch()));
  CHECK_THROWS_WITH(executor->train(Samples(4).batch(), 1, 0.1),
                    "the model 'm' was compiled without training");
  for (const MemoryLine& line : executor->memory()) {
    if (line.name == "gradients" || line.name == "optimizer state") CHECK(line.bytes == Bytes{0});
  }
  CHECK(total(executor->memory()) > Bytes{0});
}

TEST_CASE("Batches that do not fit the model say why") {
  const auto executor = compiled(kModel, {.batch = 4});
  const Samples samples(4);
  Batch batch = samples.batch();
  batch.samples = 5;
  CHECK_THROWS_WITH(executor->evaluate(batch),
                    "batch: 5 samples; the model was compiled for 1 to 4");
  batch = samples.batch();
  batch.input.shape = {4, 1, 3};
  CHECK_THROWS_WITH(executor->evaluate(batch), Contains("batch: input: f32 4x1x3"));
  batch = samples.batch();
  batch.labels = {};
  CHECK_THROWS_WITH(executor->evaluate(batch), "batch: labels: no data");
  batch = samples.batch();
  const std::vector<float> weights(2);
  batch.weights = weights;
  CHECK_THROWS_WITH(executor->evaluate(batch), "batch: 2 weights for 4 samples");
}

TEST_CASE("Timings name every operation once they are asked for") {
  const auto executor = compiled(kModel, {.batch = 4});
  executor->train(Samples(4).batch(), 1, 0.1);
  CHECK(executor->timings().empty());
  executor->reset_timings(true);
  executor->train(Samples(4).batch(), 2, 0.1);
  executor->train(Samples(4).batch(), 3, 0.1);
  const auto timings = executor->timings();
  REQUIRE_FALSE(timings.empty());
  CHECK(timings[0].name == "dense1 forward");
  CHECK(timings[0].calls == 2);
  CHECK(timings[0].seconds >= 0);
}

}  // namespace
