#include <millrace/nn/layers/kinds.h>

#include <algorithm>

#include "catch.h"
#include "cpu/compare.h"
#include "engines/branches.h"
#include "engines/foreign_kind.h"
#include "engines/optimizers.h"
#include "engines/windows.h"

using namespace millrace;
using nn::ModelBuilder;
using nn::Padding;
using test::check_model;

namespace {

const nn::CompileOptions kSeven{.batch = 7, .optimizer = {.learning_rate = 0.1}};
const std::vector<std::int64_t> kFullAndShort{7, 3, 1};

/// What every model of images ends in here.
nn::Model classified(ModelBuilder& builder) {
  return builder.flatten().dense(4).softmax().build();
}

}  // namespace

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

TEST_CASE("A convolution agrees with float64 for any number of channels and filters") {
  for (const std::int64_t channels : {1, 3, 5, 16}) {
    for (const std::int64_t filters : {1, 5, 16, 24}) {
      INFO(channels << " channels, " << filters << " filters");
      ModelBuilder builder("m", {9, 8, channels});
      check_model(classified(builder.conv(filters).relu().conv(6)), kSeven, {7, 3});
    }
  }
}

TEST_CASE("Winograd's algorithm agrees with float64 as the direct one does") {
  const auto uses_winograd = [](const nn::OpTiming& timing) {
    return timing.implementation.find("wino") != std::string::npos;
  };
  for (const Padding padding : {Padding::valid, Padding::same}) {
    ModelBuilder builder("m", {13, 10, 3});
    builder.conv(32).relu().conv(40, 3, padding).relu().conv(32, 3, padding).relu().max_pool();
    const nn::Model model = classified(builder);
    const cpu::EngineOptions engine{.threads = 1, .algorithms = cpu::Algorithms::winograd};
    check_model(model, kSeven, kFullAndShort, engine);
    const auto timings = cpu::make_engine(engine)->compile(model, kSeven)->timings();
    const auto count = std::count_if(timings.begin(), timings.end(), uses_winograd);
    if (test::has_winograd(engine)) {
      CHECK(count >= 6);  // both layers in all three passes
    } else {
      WARN("not checked that Winograd's algorithm is used: it needs oneDNN 2 and AVX-512; this is "
           << cpu::make_engine(engine)->description());
    }
  }
}

TEST_CASE("A convolution agrees with float64 for every padding, stride and kernel size") {
  for (const Padding padding : {Padding::valid, Padding::same}) {
    for (const std::int64_t stride : {1, 2, 3}) {
      for (const std::int64_t size : {1, 2, 3, 5}) {
        INFO("size " << size << ", stride " << stride << ", same " << (padding == Padding::same));
        ModelBuilder builder("m", {11, 8, 3});
        builder.conv(8, 3, Padding::same).relu().conv(6, size, padding, stride, false);
        check_model(classified(builder), kSeven, {7});
      }
    }
  }
}

TEST_CASE("Convolutions in groups, depthwise or dilated agree with float64") {
  for (const nn::Model& model : test::window_models()) {
    INFO(model.name);
    check_model(model, kSeven, {7, 3});
    check_model(model, kSeven, {7}, {.threads = 1, .algorithms = cpu::Algorithms::winograd});
  }
}

TEST_CASE("A depthwise convolution does the work of the ReLU behind it") {
  ModelBuilder builder("m", {9, 8, 16});
  const nn::Model model = classified(builder.depthwise_conv(3, Padding::same).relu().conv(3));
  const auto timings = cpu::make_engine({.threads = 1})->compile(model, {.batch = 4})->timings();
  CHECK(std::ranges::any_of(
      timings, [](const nn::OpTiming& timing) { return timing.name == "conv1 forward + relu"; }));
}

TEST_CASE("Pooling of rectangles, padded, counted or with ceil agrees with float64") {
  for (const std::int64_t channels : {5, 16}) {
    for (const nn::Model& model : test::pooling_models(channels)) {
      INFO(model.name << ", " << channels << " channels");
      check_model(model, kSeven, {7, 3});
    }
  }
}

TEST_CASE("Pooling agrees with float64 for every padding, stride and size") {
  for (const Padding padding : {Padding::valid, Padding::same}) {
    for (const std::int64_t stride : {1, 2, 3}) {
      for (const std::int64_t size : {2, 3}) {
        INFO("size " << size << ", stride " << stride << ", same " << (padding == Padding::same));
        ModelBuilder max("max", {11, 8, 3});
        max.conv(5).relu().add(nn::MaxPool2D{size, stride, padding}).conv(4, 2);
        check_model(classified(max), kSeven, {7, 3});
        ModelBuilder average("average", {11, 8, 3});
        average.conv(5).relu().add(nn::AvgPool2D{size, stride, padding}).conv(4, 2);
        check_model(classified(average), kSeven, {7, 3});
      }
    }
  }
}

TEST_CASE("A ReLU before a maximum agrees with float64 whatever follows the pooling") {
  const auto with = [](auto&& add) {
    ModelBuilder builder("m", {12, 11, 3});
    builder.conv(20).relu().max_pool();
    add(builder);
    return classified(builder);
  };
  // Dropout would take the pooling's memory; a second ReLU and a second pooling read it too.
  check_model(with([](ModelBuilder& b) { b.dropout(0.4F).conv(6, 2); }), kSeven, {7, 3});
  check_model(with([](ModelBuilder& b) { b.relu().conv(6, 2); }), kSeven, {7, 3});
  check_model(with([](ModelBuilder& b) { b.max_pool().dropout(0.4F); }), kSeven, {7, 3});
  check_model(with([](ModelBuilder& b) { b.sigmoid().avg_pool(); }), kSeven, {7, 3});
}

TEST_CASE("Pooling of the input itself needs no convolution before it") {
  for (const std::int64_t channels : {1, 3, 5}) {
    ModelBuilder builder("m", {9, 7, channels});
    check_model(classified(builder.max_pool().avg_pool(2, 1).conv(3, 2)), kSeven, {7, 3});
  }
}

TEST_CASE("Global average pooling agrees with float64, before a dense layer and as the end") {
  for (const std::int64_t filters : {5, 16}) {
    ModelBuilder builder("m", {7, 6, 3});
    check_model(builder.conv(filters).relu().global_avg_pool().dense(4).softmax().build(), kSeven,
                kFullAndShort);
    ModelBuilder end("m", {7, 6, 3});
    check_model(end.conv(filters).relu().conv(3, 2).global_avg_pool().softmax().build(), kSeven,
                kFullAndShort);
  }
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
