// Layers of windows, convolutions and pooling, on the device under test beside the float64
// reference with the same precision.

#include <millrace/nn/layers/kinds.h>

#include "catch.h"
#include "engines/layer_cases.h"
#include "engines/windows.h"
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

TEST_CASE("A convolution agrees with float64 for any number of channels and filters") {
  for (const std::int64_t channels : {1, 3, 5, 16}) {
    for (const std::int64_t filters : {1, 5, 16}) {
      INFO(channels << " channels, " << filters << " filters");
      ModelBuilder builder("m", {9, 8, channels});
      check_model(classified(builder.conv(filters).relu().conv(6)), kSeven, {7, 3});
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
        check_model(classified(builder), kSeven, {7}, kFp32);
      }
    }
  }
}

TEST_CASE("Convolutions in groups, depthwise or dilated agree with float64") {
  for (const nn::Model& model : test::window_models()) {
    INFO(model.name);
    check_model(model, kSeven, {7, 3});
  }
}

TEST_CASE("Groups that stored channels do not hold whole are refused by the layer's name") {
  const auto compile = [](std::int64_t channels, std::int64_t filters, Precision precision) {
    ModelBuilder builder("m", {5, 5, channels});
    const nn::Model model = classified(builder.conv({.filters = filters, .groups = 2}));
    (void)test::TestedEngine(precision).engine->compile(model, {.batch = 2});
  };
  CHECK_THROWS_WITH(compile(6, 4, Precision::fp16),
                    "gpu: conv1 forward: 2 groups of 3 channels and 2 filters do not fill the 8 "
                    "channels and 8 filters that are stored, which is not supported; have "
                    "multiples of 8 channels and filters, or one filter a channel");
  CHECK_THROWS_WITH(compile(8, 12, Precision::fp16), Catch::Contains("conv1 forward: 2 groups of"));
  CHECK_NOTHROW(compile(8, 12, Precision::fp32));
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
        check_model(classified(max), kSeven, {7, 3}, kFp32);
        ModelBuilder average("average", {11, 8, 3});
        average.conv(5).relu().add(nn::AvgPool2D{size, stride, padding}).conv(4, 2);
        check_model(classified(average), kSeven, {7, 3}, kFp32);
      }
    }
  }
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
