// Layers of windows, convolutions and pooling, on oneDNN beside float64.

#include <millrace/nn/layers/kinds.h>

#include <algorithm>

#include "catch.h"
#include "cpu/compare.h"
#include "engines/layer_cases.h"
#include "engines/windows.h"

using namespace millrace;
using nn::ModelBuilder;
using nn::Padding;
using test::check_model;
using test::classified;
using test::kFullAndShort;
using test::kSeven;

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
