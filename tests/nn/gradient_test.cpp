#include <millrace/nn/gradient.h>
#include <millrace/nn/initialize.h>
#include <millrace/nn/reference/engine.h>

#include "catch.h"
#include "recorded_steps.h"

#include <cmath>
#include <limits>

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST_CASE("Steps with L2, clips and label smoothing are Keras's") {
  for (const auto& record : test::recorded("gradients.json")) {
    // Float64 on both sides, but weights are read as float, and Keras's Adam rounds its constants
    // to it, which five steps of 0.02 show.
    const bool is_adam = record["options"].contains("optimizer");
    DYNAMIC_SECTION(record["options"]) {
      test::RecordedSteps(ReferenceEngine(), record, {is_adam ? 2e-6 : 1e-6, is_adam ? 2e-6 : 1e-7})
          .check();
    }
  }
}

TEST_CASE("A norm clip shortens what is too long and leaves the rest") {
  CHECK(norm_factor(2, 8) == 0.25);
  CHECK(norm_factor(2, 1) == 1);
  CHECK(norm_factor(2, 0) == 1);
  CHECK(norm_factor(2, kInfinity) == 0);
  CHECK(std::isnan(norm_factor(2, kNaN)));
  CHECK(global_norm_factor(2, 8) == 0.25);
  CHECK(global_norm_factor(2, 1) == 1);
  CHECK(global_norm_factor(2, 0) == 1);
  CHECK(std::isnan(global_norm_factor(2, kInfinity)));
  CHECK(std::isnan(global_norm_factor(2, kNaN)));
}

TEST_CASE("Gradient options out of their range are refused by name") {
  CHECK_NOTHROW(validate(GradientOptions{.l2 = 1e-4, .clip_norm = 1}));
  CHECK_THROWS_WITH(validate(GradientOptions{.l2 = -1}), "l2: expected 0 or more, not -1");
  CHECK_THROWS_WITH(validate(GradientOptions{.clip_norm = kNaN}), Contains("clip_norm"));
  CHECK_THROWS_WITH(validate(GradientOptions{.clip_value = 1, .clip_global_norm = 1}),
                    Contains("at most one"));
  const Model model = ModelBuilder("m", {2}).dense(2).softmax().build();
  CHECK_THROWS_AS(ReferenceEngine().compile(model, {.gradient = {.clip_value = -1}}), UsageError);
  CHECK_THROWS_WITH(ReferenceEngine().compile(model, {.label_smoothing = 1}),
                    Contains("label_smoothing"));
}

TEST_CASE("L2 is of trainable kernels, not of biases, batch norm or frozen layers") {
  Model model = ModelBuilder("m", {2}).dense(2).batch_norm().dense(2).softmax().build();
  model.layers[0].trainable = false;
  const auto executor =
      ReferenceEngine().compile_reference(model, {.batch = 1, .gradient = {.l2 = 0.5}});
  executor->allocate();
  for (double& value : executor->parameters()) value = 3;
  const std::vector<float> input{1, 1};
  const std::vector<std::int32_t> label{0};
  const Batch batch{.input = ConstTensorView(std::span(input), {1, 2}),
                    .labels = ConstTensorView(std::span(label), {1}),
                    .samples = 1};
  // All logits are equal; four weights of 3.
  CHECK(executor->evaluate(batch).loss_sum == Approx(std::log(2.0) + 0.5 * 4 * 9).epsilon(1e-12));
}

}  // namespace
