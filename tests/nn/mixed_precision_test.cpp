#include <millrace/core/error.h>
#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/reference/engine.h>

#include "catch.h"
#include "nn/weighed_executor.h"

#include <cmath>
#include <string>
#include <vector>

// The numbers that are expected here were worked out by hand. fp16 has 11 bits of mantissa, bf16 8:
// from 2048 on fp16 knows even numbers only, and 2049 lies half way, so it becomes 2048.

namespace {

using namespace millrace;
using namespace millrace::nn;
using namespace millrace::nn::test;
using Catch::Contains;

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

const ReferenceOptions kFp32{};
const ReferenceOptions kFp16{.precision = Precision::fp16};
const ReferenceOptions kBf16{.precision = Precision::bf16};

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

}  // namespace
