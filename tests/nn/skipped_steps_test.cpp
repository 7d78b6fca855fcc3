// Steps of fp16 whose gradients are not finite are skipped: what they leave as it is, and what the
// loss scale makes of them.

#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/reference/engine.h>

#include "catch.h"
#include "nn/weighed_executor.h"

#include <vector>

using namespace millrace;
using namespace millrace::nn;
using namespace millrace::nn::test;

namespace {

std::vector<double> copy_of(std::span<const double> values) {
  return {values.begin(), values.end()};
}

const ReferenceOptions kFp16{.precision = Precision::fp16};

const Model kSmall = ModelBuilder("small", {2}).dense(3).relu().dense(2).softmax().build();
const Weights kSmallWeights{{"dense1.weight", {0.5F, -0.25F, 0.125F, 0.75F, -0.5F, 0.375F}},
                            {"dense1.bias", {0.125F, 0, 0.25F}},
                            {"dense2.weight", {0.5F, -0.5F, 0.25F, -0.125F, 0.75F, 1}},
                            {"dense2.bias", {0, 0.125F}}};
const CompileOptions kAdam{.optimizer = {.kind = OptimizerKind::adam}};

const Samples kGood{{0.5F, 1, -1, 0.25F}, {0, 1}};
/// The loss is finite, but not fp16's gradient of the logits.
const Samples kHeavy{{0.5F, 1, -1, 0.25F}, {0, 1}, {1e9F, 1}};
/// The input is not finite in fp16.
const Samples kBright{{1e6F, 1, -1, 0.25F}, {0, 1}};

std::vector<float> arena_of(const Executor& executor, Arena arena, std::size_t size) {
  std::vector<float> values(size);
  executor.read(arena, values);
  return values;
}

TEST_CASE("Infinities halve the loss scale and good steps double it, as in Keras") {
  ReferenceOptions options = kFp16;
  options.loss_scale.growth_steps = 3;
  const auto executor = compiled(options, kSmall, kSmallWeights, kAdam);
  const std::vector<double> scales{32768, 32768, 16384, 16384, 16384, 32768, 32768};
  const std::vector<std::int64_t> good{1, 2, 0, 1, 2, 0, 1};
  for (std::size_t step = 0; step < scales.size(); ++step) {
    executor->train((step == 2 ? kHeavy : kGood).batch(), static_cast<std::int64_t>(step) + 1, 0.1);
    INFO("step " << step + 1);
    CHECK(*executor->loss_scale() == LossScaleState{.scale = scales[step],
                                                    .good_steps = good[step],
                                                    .skipped = step < 2 ? 0 : 1});
  }
}

TEST_CASE("A skipped step leaves weights and optimizer state as they are, to the bit") {
  for (const Samples* bad : {&kHeavy, &kBright}) {
    const auto executor = compiled(kFp16, kSmall, kSmallWeights, kAdam);
    executor->train(kGood.batch(), 1, 0.1);
    const auto before = copy_of(executor->parameters());
    const std::size_t states = executor->gradient().size();
    const auto first = arena_of(*executor, Arena::state0, states);
    const auto second = arena_of(*executor, Arena::state1, states);
    const StepResult result = executor->train(bad->batch(), 2, 0.1);
    CHECK(result.samples == 2);
    CHECK(executor->loss_scale()->skipped == 1);
    CHECK(copy_of(executor->parameters()) == before);
    CHECK(arena_of(*executor, Arena::state0, states) == first);
    CHECK(arena_of(*executor, Arena::state1, states) == second);
  }
}

TEST_CASE("Adam does not count the steps that were skipped") {
  const auto with = compiled(kFp16, kSmall, kSmallWeights, kAdam);
  with->train(kHeavy.batch(), 1, 0.1);
  with->train(kHeavy.batch(), 2, 0.1);
  with->train(kGood.batch(), 3, 0.1);
  ReferenceOptions options = kFp16;
  options.loss_scale.initial = 8192;
  const auto without = compiled(options, kSmall, kSmallWeights, kAdam);
  without->train(kGood.batch(), 1, 0.1);
  CHECK(copy_of(with->parameters()) == copy_of(without->parameters()));
  CHECK(with->loss_scale()->scale == 8192);
}

TEST_CASE("A scale that is too high at first falls until steps are taken") {
  ReferenceOptions options = kFp16;
  options.loss_scale.initial = 0x1p24;
  const auto executor = compiled(options, kSmall, kSmallWeights, kAdam);
  const auto before = copy_of(executor->parameters());
  std::int64_t t = 0;
  while (copy_of(executor->parameters()) == before && t < 30) {
    executor->train(kGood.batch(), ++t, 0.1);
  }
  CHECK(executor->loss_scale()->good_steps == 1);
  CHECK(executor->loss_scale()->skipped == t - 1);
  CHECK(executor->loss_scale()->scale == std::ldexp(1.0, 24 - static_cast<int>(t - 1)));
  CHECK(t > 5);
}

TEST_CASE("A mask is not applied in a skipped step") {
  CompileOptions compile = kAdam;
  compile.masks = true;
  const auto executor = compiled(kFp16, kSmall, kSmallWeights, compile);
  executor->write(Arena::masks, std::vector<float>(executor->gradient().size()));
  const auto before = copy_of(executor->parameters());
  executor->train(kHeavy.batch(), 1, 0.1);
  CHECK(copy_of(executor->parameters()) == before);
  executor->train(kGood.batch(), 2, 0.1);
  CHECK(executor->parameters()[0] == 0);
}

TEST_CASE("Running statistics follow the forward pass of a skipped step too") {
  const Model model = ModelBuilder("m", {2}).batch_norm().dense(2).build();
  const Weights weights{{"batch_norm1.weight", {1, 1}},       {"batch_norm1.bias", {0, 0}},
                        {"batch_norm1.running_mean", {4, 4}}, {"batch_norm1.running_var", {1, 1}},
                        {"dense1.weight", {1, 0, 0, 1}},      {"dense1.bias", {0, 0}}};
  const auto executor = compiled(kFp16, model, weights);
  const std::size_t trained = executor->gradient().size();
  const auto before = copy_of(executor->parameters());
  executor->train(kHeavy.batch(), 1, 0.1);
  const auto after = copy_of(executor->parameters());
  CHECK(std::equal(after.begin(), after.begin() + static_cast<std::ptrdiff_t>(trained),
                   before.begin()));
  CHECK(after[trained] != before[trained]);
}

TEST_CASE("The loss scale is part of what an executor can be given back") {
  ReferenceOptions options = kFp16;
  options.loss_scale.growth_steps = 2;
  const auto executor = compiled(options, kSmall, kSmallWeights, kAdam);
  executor->set_loss_scale({.scale = 64, .good_steps = 1, .skipped = 5});
  executor->train(kGood.batch(), 6, 0.1);
  CHECK(*executor->loss_scale() == LossScaleState{.scale = 128, .good_steps = 0, .skipped = 5});
}

}  // namespace
