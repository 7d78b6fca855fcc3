// Every kind of layer but windows on oneDNN, beside float64: those are in windows_test.cpp.

#include <millrace/nn/layers/kinds.h>

#include "catch.h"
#include "cpu/compare.h"
#include "engines/branches.h"
#include "engines/foreign_kind.h"
#include "engines/kinds.h"
#include "engines/layer_cases.h"
#include "engines/optimizers.h"

using namespace millrace;
using nn::ModelBuilder;
using nn::Padding;
using test::check_model;
using test::classified;
using test::kFullAndShort;
using test::kSeven;

TEST_CASE("A dense layer agrees with float64, with and without bias") {
  for (const bool bias : {true, false}) {
    check_model(ModelBuilder("m", {13}).dense(9, bias).relu().dense(5, bias).softmax().build(),
                kSeven, kFullAndShort);
  }
}

TEST_CASE("A dense layer reads images in the order of height, width, channels") {
  for (const std::int64_t channels : {1, 3, 5}) {
    check_model(ModelBuilder("m", {5, 4, channels}).flatten().dense(6).relu().dense(3).build(),
                kSeven, kFullAndShort);
  }
}

TEST_CASE("Batches of 1 and 32 agree with float64") {
  ModelBuilder builder("m", {9, 8, 3});
  const nn::Model model = classified(builder.conv(16).relu().max_pool().conv(8).relu());
  check_model(model, {.batch = 1}, {1});
  check_model(model, {.batch = 32, .other_batches = {9}}, {32, 9, 5, 17});
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

TEST_CASE("Dropout agrees with float64 in blocked images and in rows") {
  for (const std::int64_t filters : {5, 16, 24}) {
    ModelBuilder builder("m", {7, 6, 3});
    builder.conv(filters).relu().dropout(0.25F).conv(8).dropout(0.5F).relu().flatten();
    builder.dropout(0.4F).dense(9).relu().dropout(0.5F).dense(4).softmax();
    check_model(builder.build(), kSeven, kFullAndShort);
  }
}

TEST_CASE("Batch norm agrees with float64 in images and in rows") {
  for (const std::int64_t filters : {5, 16}) {
    for (const bool biased : {false, true}) {
      ModelBuilder builder("m", {7, 6, 3});
      builder.conv(filters, 3, Padding::same, 1, false).batch_norm({.biased_variance = biased});
      builder.relu().max_pool().flatten().dense(9, false);
      builder.batch_norm({.momentum = 0.99F, .epsilon = 1e-3F}).relu().dense(4).softmax();
      check_model(builder.build(), kSeven, {7, 5});
    }
  }
}

TEST_CASE("Batch norm of the input and of flattened images agrees with float64") {
  ModelBuilder builder("m", {5, 4, 3});
  builder.batch_norm().conv(5, 2).relu().flatten().batch_norm().dense(4).softmax();
  check_model(builder.build(), kSeven, {7, 5});
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
  check_model(model, kSeven, {7, 5});
}

TEST_CASE("All kinds of layers agree with float64 on one, two and three threads") {
  ModelBuilder builder("m", {14, 13, 3});
  builder.conv(24).batch_norm().relu().max_pool().dropout(0.2F).conv(20, 2).sigmoid().avg_pool();
  builder.batch_norm().flatten().dense(30).relu().dropout(0.5F).dense(5).softmax();
  const nn::Model model = builder.build();
  for (const int threads : {1, 2, 3}) {
    INFO(threads << " threads");
    check_model(model, {.batch = 9, .optimizer = {.learning_rate = 0.1}}, {9, 4},
                {.threads = threads});
  }
}

TEST_CASE("A batch in two and three slices agrees with float64") {
  ModelBuilder builder("m", {14, 13, 3});
  builder.conv(24).relu().max_pool().dropout(0.2F).conv(20, 2).sigmoid().avg_pool();
  builder.flatten().dense(30).relu().dropout(0.5F).dense(5).softmax();
  const nn::Model model = builder.build();
  for (const int threads : {2, 3}) {
    INFO(threads << " slices");
    check_model(model,
                {.batch = 9,
                 .other_batches = {5},
                 .optimizer = {.learning_rate = 0.1},
                 .gradient = {.l2 = 0.01, .clip_norm = 1}},
                {9, 5, 4, 1}, {.threads = threads, .sharing = cpu::Sharing::slices});
  }
}

TEST_CASE("Every optimizer takes the parameters where float64 takes them") {
  for (const nn::OptimizerOptions& optimizer : test::optimizer_cases()) {
    INFO(test::name_of(optimizer));
    ModelBuilder builder("m", {8, 7, 3});
    const nn::Model model = classified(builder.conv(20).relu().max_pool());
    check_model(model, {.batch = 7, .optimizer = optimizer}, {7});
  }
}

TEST_CASE("A kind that the engine does not know is refused by the layer's name") {
  const nn::Model model = ModelBuilder("m", {4}).dense(3).add(test::Foreign{}).dense(2).build();
  CHECK_NOTHROW(nn::ReferenceEngine().compile(model, {.batch = 2}));
  CHECK_THROWS_WITH(
      cpu::make_engine()->compile(model, {.batch = 2}),
      "cpu: this engine cannot do 'foreign1 forward': the kind 'foreign' has no loops for "
      "float32");
}

TEST_CASE("Values that meet and part agree with float64") {
  for (const std::int64_t channels : {5, 16}) {
    for (const nn::Model& model : test::branch_models(channels)) {
      INFO(model.name << ", " << channels << " channels");
      check_model(model, kSeven, {7, 3});
    }
  }
}

namespace {

/// A user's own: x^3 / 3 - c x.
struct Cubic : nn::Elementwise<Cubic> {
  float slope = 1;

  static constexpr nn::LayerFacts kFacts{.name = "cubic", .stem = "cubic"};
  static constexpr bool kFromInput = true;
  void list(nn::FieldList& fields) { fields.optional("slope", &slope); }
  template <class Real>
  Real value(Real x) const {
    return x * x * x / 3 - Real(slope) * x;
  }
  template <class Real>
  Real gradient(Real dy, Real x) const {
    return dy * (x * x - Real(slope));
  }
  friend bool operator==(const Cubic&, const Cubic&) = default;
};

}  // namespace

TEST_CASE("An elementwise kind of a user's own needs its formulas alone") {
  Cubic kind;
  kind.slope = 0.5F;
  ModelBuilder builder("m", {7, 6, 3});
  builder.conv(20).add(kind).conv(4).flatten().dense(6).add(kind).dense(3).softmax();
  check_model(builder.build(), kSeven, kFullAndShort);
}

TEST_CASE("Kinds of a user's own agree with float64") {
  const nn::CompileOptions options{.batch = 7, .optimizer = {.learning_rate = 0.1}, .seed = 3};
  for (const int threads : {1, 3}) {
    const cpu::EngineOptions engine{.threads = threads};
    ModelBuilder builder("m", {9, 8, 3});
    builder.conv(20).add(test::SlopedRelu{.strength = 3}).max_pool();
    builder.residual([](ModelBuilder& b) { b.conv(20, 3, Padding::same).add(test::SlopedRelu{}); });
    check_model(classified(builder), options, kFullAndShort, engine);
    ModelBuilder first("m", {6});
    first.add(test::SlopedRelu{}).dense(20).add(test::Centred{}).relu();
    check_model(first.dense(3).softmax().build(), options, kFullAndShort, engine);
  }
}

TEST_CASE("Kinds agree with float64 wherever they stand, on one thread, on two and in slices") {
  const auto sharing = GENERATE(cpu::Sharing::together, cpu::Sharing::slices);
  const int threads = sharing == cpu::Sharing::slices ? 2 : GENERATE(1, 2);
  for (const auto& [kind, can_have_features] : test::placed_kinds()) {
    INFO(to_string(kind) << ", " << threads << " threads");
    const cpu::EngineOptions engine{.threads = threads, .sharing = sharing};
    for (const std::int64_t channels : {5, 16}) {
      for (const nn::Model& model : test::models_with(kind, channels)) {
        INFO(model.name << ", " << channels << " channels");
        check_model(model, kSeven, {7, 3}, engine);
      }
    }
    if (can_have_features) check_model(test::features_with(kind), kSeven, {7, 3}, engine);
  }
}
