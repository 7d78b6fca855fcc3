#include <millrace/core/error.h>
#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/reference/engine.h>

#include "catch.h"

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

// The numbers that are expected here were worked out by hand. fp16 has 11 bits of mantissa, bf16 8:
// from 2048 on fp16 knows even numbers only, and 2049 lies half way, so it becomes 2048.

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

using Weights = std::map<std::string, std::vector<float>>;

std::unique_ptr<ReferenceExecutor> compiled(const ReferenceOptions& options, const Model& model,
                                            const Weights& weights, CompileOptions compile = {}) {
  auto executor = ReferenceEngine(options).compile_reference(model, compile);
  executor->allocate();
  std::vector<float> arena(executor->parameters().size());
  for (const Parameter& p : parameters(model)) {
    const std::vector<float>& values = weights.at(p.name);
    REQUIRE(values.size() == static_cast<std::size_t>(p.shape.elements()));
    std::copy(values.begin(), values.end(), arena.begin() + p.offset);
  }
  executor->write(Arena::parameters, arena);
  return executor;
}

struct Samples {
  std::vector<float> input;
  std::vector<std::int32_t> labels;
  std::vector<float> weights{};

  [[nodiscard]] Batch batch() const {
    const auto count = static_cast<std::int64_t>(labels.size());
    const auto features = static_cast<std::int64_t>(input.size()) / count;
    return {.input = ConstTensorView(std::span(input), {count, features}),
            .labels = ConstTensorView(std::span(labels), {count}),
            .weights = weights,
            .samples = count};
  }
};

std::vector<float> predicted(Executor& executor, std::vector<float> input, std::size_t outputs) {
  std::vector<float> values(outputs);
  executor.predict(Samples{std::move(input), {0}}.batch(), values);
  return values;
}

std::vector<double> gradient_of(const ReferenceExecutor& executor, const std::string& name) {
  for (const Parameter& p : parameters(executor.model())) {
    if (p.name != name) continue;
    const auto part = executor.gradient().subspan(static_cast<std::size_t>(p.offset),
                                                  static_cast<std::size_t>(p.shape.elements()));
    return {part.begin(), part.end()};
  }
  throw Error(name);
}

std::vector<double> copy_of(std::span<const double> values) {
  return {values.begin(), values.end()};
}

const ReferenceOptions kFp32{};
const ReferenceOptions kFp16{.precision = Precision::fp16};
const ReferenceOptions kBf16{.precision = Precision::bf16};

// ---- where values are rounded

TEST_CASE("Input, kernel and bias are rounded to fp16, to nearest even, and the logits are not") {
  const Model model = ModelBuilder("m", {1}).dense(1).build();
  const Weights weights{{"dense1.weight", {1 + 3 * 0x1p-11F}}, {"dense1.bias", {2049}}};
  const float x = 1 + 0x1p-11F;
  // 1 * (1 + 2^-9) + 2048: every factor was half way between two neighbours.
  CHECK(predicted(*compiled(kFp16, model, weights), {x}, 1)[0] == 2049.001953125F);
  CHECK(predicted(*compiled(kFp32, model, weights), {x}, 1)[0] == Approx(2050.00195F));
}

TEST_CASE("What a layer writes is rounded before the next one reads it") {
  const Model model = ModelBuilder("m", {1}).dense(1).relu().dense(1).build();
  const auto logit = [&](const ReferenceOptions& options, float bias) {
    const Weights weights{{"dense1.weight", {bias - 1}},
                          {"dense1.bias", {1}},
                          {"dense2.weight", {1}},
                          {"dense2.bias", {0}}};
    return predicted(*compiled(options, model, weights), {1}, 1)[0];
  };
  CHECK(logit(kFp32, 2049) == 2049);
  CHECK(logit(kFp16, 2049) == 2048);
  CHECK(logit(kFp16, 257) == 257);
  CHECK(logit(kBf16, 257) == 256);
}

TEST_CASE("Batch norm's scale, shift and statistics are not rounded") {
  const Model model = ModelBuilder("m", {2}).batch_norm().dense(2).build();
  const float variance = 1 - BatchNorm{}.epsilon;
  const Weights weights{{"batch_norm1.weight", {2049, -2048}},
                        {"batch_norm1.bias", {-2047, 2049}},
                        {"batch_norm1.running_mean", {2049, 2049}},
                        {"batch_norm1.running_var", {variance, variance}},
                        {"dense1.weight", {1, 0, 0, 1}},
                        {"dense1.bias", {0, 0}}};
  const auto outputs = predicted(*compiled(kFp16, model, weights), {2050, 2050}, 2);
  CHECK(outputs[0] == 2);  // 2049 (2050 - 2049) - 2047
  CHECK(outputs[1] == 1);
}

TEST_CASE("Gradients of the logits are rounded after the loss scale, then those of parameters") {
  const Model model = ModelBuilder("m", {1}).dense(5).build();
  const Weights weights{{"dense1.weight", std::vector<float>(5)},
                        {"dense1.bias", std::vector<float>(5)}};
  const Samples samples{std::vector<float>(5), std::vector<std::int32_t>(5)};
  const auto executor = compiled(kFp16, model, weights);
  executor->gradients(samples.batch());
  // 32768 / 25 = 1310.72 becomes 1311; five of them are 6555, which becomes 6556.
  CHECK(gradient_of(*executor, "dense1.bias")[1] == 6556.0 / 32768);
  const auto exact = compiled(kFp32, model, weights);
  exact->gradients(samples.batch());
  CHECK(gradient_of(*exact, "dense1.bias")[1] == Approx(0.2).epsilon(1e-14));
}

TEST_CASE("Gradients of activations are rounded") {
  const Model model = ModelBuilder("m", {1}).dense(1).dense(2).build();
  const Weights weights{{"dense1.weight", {0}},
                        {"dense1.bias", {0}},
                        {"dense2.weight", {-1, 0x1p-11F}},
                        {"dense2.bias", {0, 0}}};
  const Samples samples{{1 + 0x1p-10F}, {0}};
  const auto executor = compiled(kFp16, model, weights);
  executor->gradients(samples.batch());
  // (1 + 2^-11) / 2 becomes 1/2 before it meets the input; else 1 + 2^-9 would be in the result.
  CHECK(gradient_of(*executor, "dense1.weight")[0] == 0.5 * (1 + 0x1p-10));
}

TEST_CASE("The loss scale keeps gradients that fp16 alone would lose, and is taken out again") {
  const Model model = ModelBuilder("m", {1}).dense(2).build();
  const Weights weights{{"dense1.weight", {0, 0}}, {"dense1.bias", {0, 0}}};
  const Samples samples{{0x1p-14F}, {0}, {0x1p-12F}};
  const auto kernel = [&](double scale) {
    const auto executor =
        compiled({.precision = Precision::fp16, .loss_scale = {.initial = scale}}, model, weights);
    executor->gradients(samples.batch());
    CHECK(executor->loss_scale()->scale == scale);
    CHECK(executor->loss_scale()->good_steps == 0);
    return gradient_of(*executor, "dense1.weight")[1];
  };
  CHECK(kernel(32768) == 0x1p-27);
  CHECK(kernel(1) == 0);
}

TEST_CASE("L2 is added to unscaled gradients, from the weights and not their working copy") {
  const Model model = ModelBuilder("m", {1}).dense(2).build();
  const float w = 1 + 0x1p-12F;  // 1 in fp16
  const Weights weights{{"dense1.weight", {w, w}}, {"dense1.bias", {0, 0}}};
  const auto executor = compiled(kFp16, model, weights, {.gradient = {.l2 = 0.25}});
  const StepResult result = executor->gradients(Samples{{0}, {0}}.batch());
  CHECK(gradient_of(*executor, "dense1.weight")[1] == 0.5 * double{w});
  CHECK(result.loss_sum == Approx(std::log(2.0) + 0.5 * double{w} * double{w}).epsilon(1e-14));
}

TEST_CASE("Updates too small for fp16 add up in the parameters") {
  const Model model = ModelBuilder("m", {1}).dense(2).build();
  const Weights weights{{"dense1.weight", {1, 1}}, {"dense1.bias", {0, 0}}};
  const auto executor = compiled(kFp16, model, weights);
  for (std::int64_t t = 1; t <= 64; ++t) {
    executor->train(Samples{{1}, {0}}.batch(), t, 0x1p-13);
  }
  // The gradient is -1/2, then a little less: about 64 * 2^-14 in all, a step is 1/16 of a
  // rounding.
  CHECK(executor->parameters()[0] - 1 == Approx(64 * 0x1p-14).epsilon(0.01));
}

TEST_CASE("fp32 rounds nothing and bf16 needs no loss scale") {
  CHECK(ReferenceEngine().precision() == Precision::fp32);
  CHECK(ReferenceEngine(kBf16).description() ==
        "reference: float64 loops that round to bf16, 1 thread");
  CHECK_THROWS_WITH(ReferenceEngine({.precision = Precision::tf32}), Contains("tf32"));
  CHECK_THROWS_AS(ReferenceEngine({.precision = Precision::fp16, .loss_scale = {.initial = -1}}),
                  UsageError);
  const Model model = ModelBuilder("m", {1}).dense(2).build();
  const Weights weights{{"dense1.weight", {0, 0}}, {"dense1.bias", {0, 0}}};
  CHECK_FALSE(compiled(kFp32, model, weights)->loss_scale());
  const auto executor = compiled(kBf16, model, weights);
  CHECK_FALSE(executor->loss_scale());
  executor->train(Samples{{1e6F}, {0}, {1e9F}}.batch(), 1, 1);  // both are infinite in fp16
  CHECK(executor->parameters()[0] == Approx(0.5e15).epsilon(0.01));
}

// ---- steps that are skipped

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
