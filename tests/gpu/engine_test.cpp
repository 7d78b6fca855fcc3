// What an executor promises, on the device under test.

#include <millrace/core/error.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "catch.h"
#include "engines/uninitialised.h"
#include "gpu/device_under_test.h"
#include "gpu/engines.h"

using namespace millrace;
using nn::Arena;
using nn::ModelBuilder;
using nn::Precision;
using test::adam;
using test::kSoftmax;
using test::OwnedBatch;
using test::read;
using test::same_bits;
using test::small_convnet;
using test::TestedEngine;

namespace {

std::vector<float> ones_and_zeros(const nn::Model& model) {
  const auto parameters = nn::parameters(model);
  std::vector<float> masks(static_cast<std::size_t>(nn::trainable_elements(parameters)));
  for (const nn::Parameter& p : parameters) {
    if (!p.trainable) continue;
    for (std::int64_t i = 0; i < p.shape.elements(); ++i) {
      masks[static_cast<std::size_t>(p.offset + i)] = i % 3 == 0 ? 0.0F : 1.0F;
    }
  }
  return masks;
}

std::vector<float> times(std::vector<float> values, std::span<const float> masks) {
  for (std::size_t i = 0; i < masks.size(); ++i) values[i] *= masks[i];
  return values;
}

}  // namespace

TEST_CASE("A batch that is not full gives what an executor of its size gives") {
  const nn::Model model = small_convnet();
  const TestedEngine tested(Precision::fp32);
  const auto large = test::executor(*tested.engine, model, adam(16));
  const auto exact = test::executor(*tested.engine, model, adam(5));
  OwnedBatch full(model, kSoftmax, 16, 1);
  large->gradients(full.batch());  // leaves other values where the missing rows would be
  large->write(Arena::parameters, read(*exact, Arena::parameters));
  const OwnedBatch data(model, kSoftmax, 5, 2);
  const nn::StepResult result = large->gradients(data.batch());
  const nn::StepResult expected = exact->gradients(data.batch());
  const test::Nearness nearness = test::nearness_of(Precision::fp32);
  CHECK(result.loss_sum == Approx(expected.loss_sum).epsilon(nearness.tolerance));
  CHECK(result.correct == expected.correct);
  test::check_arena(*large, *exact, Arena::gradients, nearness);
  test::check_close("prediction", test::predict(*large, data.batch()),
                    test::predict(*exact, data.batch()), nearness);
  tested.check_device();
}

TEST_CASE("What is written into an arena is what is read from it") {
  const nn::Model model = small_convnet();
  const TestedEngine tested(Precision::fp32);
  const auto executor = test::executor(*tested.engine, model, adam(4));
  for (const Arena arena : {Arena::parameters, Arena::gradients, Arena::state0, Arena::state1}) {
    std::vector<float> values = read(*executor, arena);
    Random random(9, 0, static_cast<std::uint64_t>(arena), Purpose::user);
    for (const nn::Parameter& parameter : nn::parameters(model)) {
      if (arena != Arena::parameters && !parameter.trainable) continue;
      for (std::int64_t i = 0; i < parameter.shape.elements(); ++i) {
        values[static_cast<std::size_t>(parameter.offset + i)] =
            static_cast<float>(random.normal());
      }
    }
    executor->write(arena, values);
    CHECK(read(*executor, arena) == values);
  }
  tested.check_device();
}

TEST_CASE("Gradients after a step are those that the optimizer was given") {
  const nn::Model model = ModelBuilder("m", {6}).dense(5).relu().dense(3).softmax().build();
  for (const Precision precision : {Precision::fp32, Precision::fp16}) {
    const nn::CompileOptions options{.batch = 4,
                                     .optimizer = {.learning_rate = 0.5},
                                     .gradient = {.l2 = 0.05, .clip_global_norm = 0.1}};
    const TestedEngine tested(precision);
    const auto executor = test::executor(*tested.engine, model, options);
    const auto reference = test::executor(test::reference_for(precision), model, options);
    const OwnedBatch data(model, kSoftmax, 4, 1);
    executor->train(data.batch(), 1, 0.5);
    reference->train(data.batch(), 1, 0.5);
    test::check_arena(*executor, *reference, Arena::gradients, test::nearness_of(precision));
  }
}

TEST_CASE("An arena that is not kept cannot be read, and says so") {
  const nn::Model model = small_convnet();
  const TestedEngine tested(Precision::fp32);
  const auto executor = test::executor(*tested.engine, model, {.batch = 4});
  std::vector<float> values(
      static_cast<std::size_t>(nn::trainable_elements(nn::parameters(model))));
  CHECK_THROWS_WITH(executor->read(Arena::state1, values),
                    Catch::Contains("sgd keeps 0 state arenas"));
  CHECK_THROWS_WITH(executor->read(Arena::masks, values), Catch::Contains("masks"));
}

TEST_CASE("Masked weights stay zero through updates, and grow back while masks are off") {
  const nn::Model model = small_convnet();
  nn::CompileOptions options = adam(6);
  options.masks = true;
  const TestedEngine tested(Precision::fp16);
  const auto executor = test::executor(*tested.engine, model, options);
  CHECK(times(ones_and_zeros(model), read(*executor, Arena::masks)) == ones_and_zeros(model));
  const std::vector<float> masks = ones_and_zeros(model);
  executor->write(Arena::masks, masks);
  CHECK(read(*executor, Arena::masks) == masks);
  const OwnedBatch data(model, kSoftmax, 6, 1);
  executor->train(data.batch(), 1, 1e-3);
  const std::vector<float> masked = read(*executor, Arena::parameters);
  CHECK(times(masked, masks) == masked);
  executor->mask_updates(false);
  executor->train(data.batch(), 2, 1e-3);
  const std::vector<float> grown = read(*executor, Arena::parameters);
  CHECK(times(grown, masks) != grown);
}

TEST_CASE("evaluate gives the outputs of predict from the same pass") {
  const nn::Model model = small_convnet();
  const TestedEngine tested(Precision::fp16);
  const auto executor = test::executor(*tested.engine, model, adam(6));
  for (const std::int64_t samples : {6, 4}) {
    const OwnedBatch data(model, kSoftmax, samples, 3);
    std::vector<float> outputs(static_cast<std::size_t>(samples * 10));
    const nn::StepResult result = executor->evaluate(data.batch(), outputs);
    CHECK(outputs == test::predict(*executor, data.batch()));
    CHECK(result.loss_sum == executor->evaluate(data.batch()).loss_sum);
    CHECK_THROWS_AS(executor->evaluate(data.batch(), std::span(outputs).first(3)),
                    std::logic_error);
  }
}

TEST_CASE("An overflow of fp16 skips the step, halves the scale and changes no weight") {
  const nn::Model model = ModelBuilder("m", {6}).dense(5).relu().dense(3).softmax().build();
  const TestedEngine tested({.precision = Precision::fp16, .loss_scale = {.initial = 0x1p40}});
  const auto executor = test::executor(*tested.engine, model, adam(4));
  const OwnedBatch data(model, kSoftmax, 4, 1);
  const std::vector<float> start = read(*executor, Arena::parameters);
  REQUIRE(executor->loss_scale().has_value());
  CHECK(executor->loss_scale()->scale == 0x1p40);
  CHECK(executor->train(data.batch(), 1, 1e-3).samples == 4);
  CHECK(executor->loss_scale()->scale == 0x1p39);
  CHECK(executor->loss_scale()->skipped == 1);
  CHECK(same_bits(read(*executor, Arena::parameters), start));
  executor->set_loss_scale({.scale = 128, .good_steps = 3, .skipped = 1});
  executor->train(data.batch(), 2, 1e-3);
  CHECK(executor->loss_scale() == nn::LossScaleState{128, 4, 1});
  CHECK_FALSE(same_bits(read(*executor, Arena::parameters), start));
}

TEST_CASE("Other precisions have no loss scale") {
  const nn::Model model = ModelBuilder("m", {6}).dense(3).softmax().build();
  for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16}) {
    if (!test::computes(precision)) continue;
    const TestedEngine tested(precision);
    CHECK_FALSE(test::executor(*tested.engine, model, {.batch = 2})->loss_scale().has_value());
  }
}

TEST_CASE("Timings name what does the work and count what ran since they were switched on") {
  const nn::Model model = small_convnet();
  const TestedEngine tested(Precision::fp16);
  const auto executor = test::executor(*tested.engine, model, adam(4));
  const OwnedBatch data(model, kSoftmax, 4, 1);
  executor->train(data.batch(), 1, 1e-3);
  executor->reset_timings(true);
  executor->train(data.batch(), 2, 1e-3);
  executor->train(data.batch(), 3, 1e-3);
  std::set<std::string> names, libraries;
  for (const nn::OpTiming& timing : executor->timings()) {
    if (timing.calls == 0) continue;
    names.insert(timing.name);
    libraries.insert(timing.implementation.substr(0, timing.implementation.find(':')));
  }
  if (gpu::test::has_all_fusions()) CHECK(names.contains("conv1 forward + relu"));
  CHECK(names.contains("update"));
  CHECK(libraries == std::set<std::string>{"cudnn", "cublaslt", "millrace"});
}

TEST_CASE("A batch that does not fit the model is refused by name") {
  const nn::Model model = small_convnet();
  const TestedEngine tested(Precision::fp32);
  const auto executor = test::executor(*tested.engine, model, adam(4));
  OwnedBatch data(model, kSoftmax, 4, 1);
  const std::vector<std::int32_t> wrong{0, 1, 10, 2};
  nn::Batch batch = data.batch();
  batch.labels = ConstTensorView(std::span<const std::int32_t>(wrong), {4});
  CHECK_THROWS_WITH(executor->gradients(batch), Catch::Contains("label 10"));
  data.batch().samples = 5;
  CHECK_THROWS_WITH(executor->gradients(data.batch()), Catch::Contains("5 samples"));
  data.batch().samples = 4;
  data.batch().input.shape = {4, 10, 12, 3};
  CHECK_THROWS_WITH(executor->gradients(data.batch()), Catch::Contains("4x10x12x3"));
}

TEST_CASE("A model compiled without training keeps no gradients and predicts") {
  const nn::Model model = small_convnet();
  const TestedEngine tested(Precision::fp32);
  const nn::CompileOptions options{.batch = 4, .training = false};
  const auto executor = test::executor(*tested.engine, model, options);
  const auto trained = test::executor(*tested.engine, model, adam(4));
  const OwnedBatch data(model, kSoftmax, 4, 1);
  test::check_close("prediction", test::predict(*executor, data.batch()),
                    test::predict(*trained, data.batch()), test::nearness_of(Precision::fp32));
  CHECK_THROWS_AS(executor->train(data.batch(), 1, 0.1), Error);
}

TEST_CASE("An executor that gave its memory back takes it again and trains as a new one does") {
  const nn::Model model = small_convnet();
  const TestedEngine tested(Precision::fp32);
  const auto executor = test::executor(*tested.engine, model, adam(6));
  const OwnedBatch data(model, kSoftmax, 6, 1);
  const double first = executor->train(data.batch(), 1, 1e-3).loss_sum;
  const std::vector<float> weights = read(*executor, Arena::parameters);
  executor->release();
  CHECK_THROWS_AS(executor->train(data.batch(), 2, 1e-3), std::logic_error);
  executor->allocate();
  executor->write(Arena::parameters, test::random_weights(model, 11));
  CHECK(executor->train(data.batch(), 1, 1e-3).loss_sum == first);
  CHECK(same_bits(read(*executor, Arena::parameters), weights));
  tested.check_device();
}

TEST_CASE("An executor without weights refuses to train, and one that was made has them") {
  for (const Precision precision : {Precision::fp32, Precision::fp16}) {
    if (!test::computes(precision)) continue;
    const TestedEngine tested(precision);
    test::check_uninitialised(*tested.engine);
    tested.check_device();
  }
  const TestedEngine tested(Precision::fp32);
  test::check_made(*tested.engine);
  tested.check_device();
}
