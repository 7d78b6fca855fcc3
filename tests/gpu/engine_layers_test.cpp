// Every kind of layer but windows on the device under test, beside the float64 reference with the
// same precision: those are in engine_windows_test.cpp.

#include <millrace/nn/layers/kinds.h>

#include "catch.h"
#include "engines/branches.h"
#include "engines/compare_updates.h"
#include "engines/foreign_kind.h"
#include "engines/groups.h"
#include "engines/kinds.h"
#include "engines/layer_cases.h"
#include "engines/optimizers.h"
#include "gpu/engines.h"

using namespace millrace;
using nn::ModelBuilder;
using nn::Padding;
using nn::Precision;
using test::check_model;
using test::classified;
using test::kFp32;
using test::kFullAndShort;
using test::kSeven;

namespace {

const std::vector<Precision> kStorage{Precision::fp32, Precision::fp16, Precision::bf16};

}  // namespace

TEST_CASE("A dense layer agrees with float64, with and without bias") {
  for (const bool bias : {true, false}) {
    const nn::Model model =
        ModelBuilder("m", {13}).dense(9, bias).relu().dense(5, bias).softmax().build();
    check_model(model, kSeven, kFullAndShort);
    check_model(model, kSeven, {7}, {Precision::tf32});
  }
}

TEST_CASE("Chains of dense layers share epilogues") {
  ModelBuilder builder("m", {13});
  builder.dense(9).relu().dense(20).relu().dense(7, false).relu().dense(6).dropout(0.5F).relu();
  const nn::Model model = builder.dense(5).softmax().build();
  check_model(model, kSeven, kFullAndShort);
  nn::Model frozen = model;
  frozen.layers[2].trainable = false;  // the bias gradient of a fused product goes nowhere
  check_model(frozen, kSeven, {7});
}

TEST_CASE("A dense layer reads images in the order of height, width, channels") {
  for (const std::int64_t channels : {1, 3, 5, 8}) {
    check_model(ModelBuilder("m", {5, 4, channels}).flatten().dense(6).relu().dense(3).build(),
                kSeven, kFullAndShort);
  }
}

TEST_CASE("Batches of 1 and 32 agree with float64") {
  ModelBuilder builder("m", {9, 8, 3});
  const nn::Model model = classified(builder.conv(16).relu().max_pool().conv(8).relu());
  check_model(model, {.batch = 1}, {1}, kFp32);
  check_model(model, {.batch = 32, .other_batches = {9}}, {32, 9, 5, 17}, kFp32);
}

TEST_CASE("Sigmoid and softmax in the middle of a model agree with float64") {
  ModelBuilder builder("m", {7, 6, 3});
  builder.conv(5).sigmoid().conv(4).sigmoid().flatten().dense(6).softmax().dense(3).sigmoid();
  check_model(builder.build(), kSeven, kFullAndShort);
}

template <class Kind>
void check_elementwise() {
  INFO(Kind::kFacts.name);
  ModelBuilder builder("m", {7, 6, 3});
  builder.conv(5).add(Kind{}).conv(4).flatten().dense(6).add(Kind{}).dense(3).softmax();
  check_model(builder.build(), kSeven, kFullAndShort);
}

TEST_CASE("Every elementwise kind in the middle of a model agrees with float64") {
#define MILLRACE_CHECK_ELEMENTWISE(Kind) check_elementwise<nn::Kind>();
  MILLRACE_ELEMENTWISE_KINDS(MILLRACE_CHECK_ELEMENTWISE)
}

TEST_CASE("Softmax over the channels of an image agrees with float64") {
  ModelBuilder builder("m", {6, 5, 3});
  check_model(classified(builder.conv(5).softmax()), kSeven, kFullAndShort);
}

TEST_CASE("A single output with sigmoid agrees with float64") {
  check_model(ModelBuilder("m", {13}).dense(9).relu().dense(1).sigmoid().build(), kSeven,
              kFullAndShort);
}

TEST_CASE("A ReLU that nothing precedes or that follows a pooling is a step of its own") {
  ModelBuilder builder("m", {8, 8, 3});
  check_model(classified(builder.relu().conv(5).max_pool().relu().flatten().relu()), kSeven,
              kFullAndShort);
}

TEST_CASE("A model that ends in a ReLU agrees with float64") {
  check_model(ModelBuilder("m", {13}).dense(9).relu().dense(5).relu().build(), kSeven,
              kFullAndShort);
}

TEST_CASE("Dropout agrees with float64 in images and in rows") {
  for (const std::int64_t filters : {5, 16}) {
    ModelBuilder builder("m", {7, 6, 3});
    builder.conv(filters).relu().dropout(0.25F).conv(8).dropout(0.5F).relu().flatten();
    builder.dropout(0.4F).dense(9).relu().dropout(0.5F).dense(4).softmax();
    check_model(builder.build(), kSeven, kFullAndShort);
  }
}

TEST_CASE("Batch norm agrees with float64 in images and in rows, over valid rows alone") {
  for (const std::int64_t filters : {5, 16}) {
    for (const bool biased : {false, true}) {
      ModelBuilder builder("m", {7, 6, 3});
      builder.conv(filters, 3, Padding::same, 1, false).batch_norm({.biased_variance = biased});
      builder.relu().max_pool().flatten().dense(9, false);
      builder.batch_norm({.momentum = 0.99F, .epsilon = 1e-3F}).relu().dense(4).softmax();
      check_model(builder.build(), kSeven, {7, 5}, kFp32);
    }
  }
}

TEST_CASE("Batch norm of the input and of flattened images agrees with float64") {
  ModelBuilder builder("m", {5, 4, 3});
  builder.batch_norm().conv(5, 2).relu().flatten().batch_norm().dense(4).softmax();
  check_model(builder.build(), kSeven, {7, 5}, kFp32);
}

TEST_CASE("Frozen layers keep their values, and layers before the first trainable one too") {
  ModelBuilder builder("m", {8, 7, 3});
  builder.conv(6).relu().max_pool().dropout(0.2F).conv(5, 2).batch_norm().relu();
  builder.conv(4, 1).batch_norm().dropout(0.3F).flatten().dense(4).softmax();
  nn::Model model = builder.build();
  SECTION("the first convolution") {
    model.layers[0].trainable = false;
  }
  SECTION("all but the head") {
    for (nn::Layer& layer : model.layers) layer.trainable = false;
    model.layers[model.layers.size() - 2].trainable = true;
  }
  SECTION("a batch norm in the middle") {
    for (nn::Layer& layer : model.layers) {
      if (layer.kind.is<nn::BatchNorm>()) layer.trainable = false;
    }
  }
  SECTION("a convolution in the middle") {
    model.layers[4].trainable = false;
  }
  check_model(model, kSeven, {7, 5}, kFp32);
}

TEST_CASE("All kinds of layers agree with float64 in 16 bits") {
  ModelBuilder builder("m", {14, 13, 3});
  // Batch norm comes before the sigmoid: behind it, it divides by a deviation so small that one
  // value rounded the other way shows in every gradient, on the reference engine as much as here.
  builder.conv(24).batch_norm().relu().avg_pool().dropout(0.2F).conv(20, 2).batch_norm().sigmoid();
  builder.avg_pool().flatten().dense(30).relu().dropout(0.5F).dense(5).softmax();
  check_model(builder.build(), {.batch = 9, .optimizer = {.learning_rate = 0.1}}, {9, 4});
}

TEST_CASE("Every optimizer takes the parameters where float64 takes them") {
  for (const nn::OptimizerOptions& optimizer : test::optimizer_cases()) {
    INFO(test::name_of(optimizer));
    ModelBuilder builder("m", {8, 7, 3});
    const nn::Model model = classified(builder.conv(20).relu().max_pool());
    check_model(model, {.batch = 7, .optimizer = optimizer}, {7}, kFp32);
  }
}

TEST_CASE("L2, clips and label smoothing agree with float64") {
  ModelBuilder builder("m", {12, 12, 3});
  builder.conv(16).relu().max_pool().conv(12).batch_norm().relu().flatten();
  const nn::Model model = builder.dense(20).relu().dense(5).softmax().build();
  for (const nn::GradientOptions& gradient : {nn::GradientOptions{.l2 = 0.01},
                                              {.clip_value = 0.01},
                                              {.l2 = 0.01, .clip_norm = 0.2},
                                              {.clip_global_norm = 0.3},
                                              {.l2 = 0.02, .clip_global_norm = 1}}) {
    INFO("l2 " << gradient.l2 << ", clips " << gradient.clip_value << " " << gradient.clip_norm
               << " " << gradient.clip_global_norm);
    check_model(model,
                {.batch = 6,
                 .label_smoothing = 0.1,
                 .optimizer = {.learning_rate = 0.1, .momentum = 0.9},
                 .gradient = gradient},
                {6, 4}, kFp32);
  }
}

TEST_CASE("A kind that the engine does not know is refused by the layer's name") {
  const nn::Model model = ModelBuilder("m", {4}).dense(3).add(test::Foreign{}).dense(2).build();
  CHECK_THROWS_WITH(test::TestedEngine(Precision::fp32).engine->compile(model, {.batch = 2}),
                    "gpu: this engine cannot do 'foreign1 forward'");
}

TEST_CASE("Values that meet and part agree with float64") {
  for (const std::int64_t channels : {5, 16}) {
    for (const nn::Model& model : test::branch_models(channels)) {
      INFO(model.name << ", " << channels << " channels");
      // A rounding turns the sign of what a norm has brought near zero, and a ReLU behind it lets
      // through another gradient: in 16 bits a matter of chance.
      const bool is_steady = !nn::has_batch_statistics(model);
      check_model(model, kSeven, {7, 3}, is_steady ? kStorage : kFp32);
    }
  }
}

TEST_CASE("A group of batches takes the step of one batch that holds them all") {
  ModelBuilder builder("m", {12, 12, 3});
  builder.conv(16).relu().avg_pool().conv(12).relu().flatten().dropout(0.3F);
  const nn::Model model = builder.dense(20).relu().dense(5).softmax().build();
  for (const Precision precision : {Precision::fp32, Precision::fp16, Precision::bf16}) {
    if (!test::computes(precision)) continue;
    for (const nn::GradientOptions& gradient : {nn::GradientOptions{},
                                                {.l2 = 0.01},
                                                {.l2 = 0.01, .clip_norm = 0.2},
                                                {.clip_global_norm = 0.3}}) {
      INFO(nn::to_string(precision) << ", l2 " << gradient.l2 << ", clips " << gradient.clip_norm
                                    << ' ' << gradient.clip_global_norm);
      const test::TestedEngine tested(precision);
      test::check_groups(
          *tested.engine, test::reference_for(precision), model,
          {.batch = 6, .optimizer = {.learning_rate = 0.1, .momentum = 0.9}, .gradient = gradient},
          test::nearness_of(precision));
      tested.check_device();
    }
  }
}

TEST_CASE("A group that nobody has begun is begun by its first batch") {
  for (const Precision precision : {Precision::fp32, Precision::fp16, Precision::bf16}) {
    if (!test::computes(precision)) continue;
    INFO(nn::to_string(precision));
    const test::TestedEngine tested(precision);
    test::check_begun_groups(*tested.engine, {.batch = 6, .gradient = {.l2 = 0.01}});
    tested.check_device();
  }
}

TEST_CASE("A group that is dropped leaves running statistics as they were before it") {
  for (const Precision precision : {Precision::fp32, Precision::fp16, Precision::bf16}) {
    if (!test::computes(precision)) continue;
    INFO(nn::to_string(precision));
    const test::TestedEngine tested(precision);
    test::check_dropped_groups(*tested.engine, {.batch = 6, .gradient = {.l2 = 0.01}});
    tested.check_device();
  }
}

TEST_CASE("Kinds agree with float64 wherever they stand") {
  for (const auto& [kind, can_have_features] : test::placed_kinds()) {
    INFO(to_string(kind));
    for (const std::int64_t channels : {5, 16}) {
      for (const nn::Model& model : test::models_with(kind, channels)) {
        INFO(model.name << ", " << channels << " channels");
        check_model(model, kSeven, {7, 3});
      }
    }
    if (can_have_features) check_model(test::features_with(kind), kSeven, {7, 3});
  }
}

TEST_CASE("Averages agree with float64, are evaluated in the weights' place and give it back") {
  ModelBuilder builder("m", {12, 12, 3});
  builder.conv(16).relu().avg_pool().conv(12).batch_norm().relu().flatten();
  const nn::Model model = builder.dense(20).relu().dense(5).softmax().build();
  for (const Precision precision : {Precision::fp32, Precision::fp16, Precision::bf16}) {
    if (!test::computes(precision)) continue;
    for (const nn::GradientOptions& gradient : {nn::GradientOptions{}, {.l2 = 0.01}}) {
      INFO(nn::to_string(precision) << ", l2 " << gradient.l2);
      const test::TestedEngine tested(precision);
      test::check_averages(
          *tested.engine, test::reference_for(precision), model,
          {.batch = 6, .optimizer = {.learning_rate = 0.1, .momentum = 0.9}, .gradient = gradient},
          test::nearness_of(precision));
      tested.check_device();
    }
  }
}
