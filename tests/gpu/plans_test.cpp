// Whether cuDNN has good plans for the convolutions of the zoo. cuDNN builds plans for a card that
// is described, so no GPU is needed; the description of a card is written by hand from NVIDIA's
// tables.

#include "catch.h"

#include "gpu/asked_convolutions.h"
#include "gpu/plan_check.h"

#include <millrace/core/error.h>
#include <millrace/gpu/cuda/cudnn_plans.h>
#include <millrace/nn/zoo/zoo.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

using namespace millrace;
using gpu::Convolution;

std::string device(const std::string& name) {
  std::ifstream in(std::string(MILLRACE_TEST_DATA) + "/gpu/" + name + ".json");
  REQUIRE(in.is_open());
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Case {
  const char* model;
  std::int64_t size;
};
/// All that the zoo asks for, without repetitions.
std::vector<Convolution> of_the_zoo() {
  std::vector<Convolution> all;
  for (const auto [model, size] : {Case{"cnn", 150}, Case{"vgg16", 150}, Case{"vgg16", 224}}) {
    for (const std::int64_t batch : {32, 256}) {
      for (const nn::Precision precision : {nn::Precision::fp16, nn::Precision::bf16}) {
        for (const Convolution& convolution : gpu::test::asked_convolutions(
                 nn::zoo_model(model, {size, size, 3}, 10), batch, precision)) {
          if (std::find(all.begin(), all.end(), convolution) == all.end()) {
            all.push_back(convolution);
          }
        }
      }
    }
  }
  return all;
}

/// 3x3 at stride 2 on 56x56, padded as Keras pads "same": at the bottom and right alone.
Convolution strided(Convolution::Pass pass, nn::Precision precision) {
  Convolution c;
  c.pass = pass;
  c.precision = precision;
  c.batch = 32;
  c.height = c.width = 56;
  c.out_height = c.out_width = 28;
  c.channels = 64;
  c.filters = 128;
  c.rows = c.columns = 3;
  c.stride = 2;
  c.bottom = c.right = 1;
  return c;
}
constexpr Convolution::Pass kPasses[] = {Convolution::Pass::forward,
                                         Convolution::Pass::backward_data,
                                         Convolution::Pass::backward_weights};

void check_zoo(const std::string& card) {
  const std::string json = device(card);
  const std::vector<Convolution> all = of_the_zoo();
  // 4 + 13 + 13 layers; 3 passes each but the first, which has 2; 2 batches, 2 precisions; less
  // what two models have in common.
  REQUIRE(all.size() > 250);
  for (const Convolution& convolution : all) {
    INFO(card << ": " << to_string(convolution));
    const gpu::PlanReport report = gpu::check_plan(convolution, json, 16_MiB);
    CHECK(report.exists);
    INFO(report.plan);
    CHECK(report.tensor_cores);
    CHECK(report.deterministic);
    CHECK_FALSE(report.compiled_at_run_time);
    CHECK(report.workspace <= 16_MiB);
    CHECK(report.serialized.count > 0);
  }
}

}  // namespace

TEST_CASE("an H200 has a tensor core plan within 16 MiB for every convolution of the zoo") {
  check_zoo("h200");
}
TEST_CASE("an A100 has a tensor core plan within 16 MiB for every convolution of the zoo") {
  check_zoo("a100");
}
TEST_CASE("an RTX 4090 has a tensor core plan within 16 MiB for every convolution of the zoo") {
  check_zoo("rtx4090");
}

TEST_CASE("forward convolutions of the zoo carry their bias and ReLU") {
  int forward = 0;
  for (const Convolution& convolution : of_the_zoo()) {
    if (convolution.pass != Convolution::Pass::forward) continue;
    ++forward;
    INFO(to_string(convolution));
    CHECK(convolution.bias);
    CHECK(convolution.relu);
  }
  CHECK(forward > 80);
}

TEST_CASE("plans for fp32 leave tensor cores alone, plans for other precisions use them") {
  const std::string json = device("h200");
  for (const Convolution::Pass pass : kPasses) {
    for (const nn::Precision precision :
         {nn::Precision::fp32, nn::Precision::tf32, nn::Precision::fp16, nn::Precision::bf16}) {
      const Convolution convolution = strided(pass, precision);
      INFO(to_string(convolution));
      const gpu::PlanReport report = gpu::check_plan(convolution, json, 256_MiB);
      CHECK(report.exists);
      CHECK(report.tensor_cores == (precision != nn::Precision::fp32));
      CHECK(report.deterministic);
    }
  }
}

TEST_CASE("a card without tensor cores for a type has no plan, which is no error") {
  std::string json = device("h200");
  const std::string hopper = "\"deviceVer\": 900";
  REQUIRE(json.find(hopper) != std::string::npos);
  json.replace(json.find(hopper), hopper.size(), "\"deviceVer\": 750");
  for (const Convolution::Pass pass : kPasses) {
    CHECK_FALSE(gpu::check_plan(strided(pass, nn::Precision::bf16), json, 256_MiB).exists);
    CHECK(gpu::check_plan(strided(pass, nn::Precision::fp16), json, 256_MiB).exists);
  }
}

TEST_CASE("a plan is found again by its name") {
  const auto cudnn = gpu::Cudnn::for_description(device("h200"), 90);
  const Convolution convolution = strided(Convolution::Pass::forward, nn::Precision::fp16);
  const auto plans = cudnn->plans(convolution, 16_MiB, 4);
  REQUIRE(plans.size() == 4);
  for (const auto& plan : plans) {
    const auto again = cudnn->plans(convolution, 16_MiB, 4, plan->implementation());
    REQUIRE(again.size() == 1);
    CHECK(again.front()->implementation() == plan->implementation());
    CHECK(again.front()->workspace() == plan->workspace());
    CHECK(again.front()->operation() == convolution);
  }
  CHECK(cudnn->plans(convolution, 16_MiB, 4, "eng999").empty());
}

TEST_CASE("a plan for a card that is described cannot be run") {
  const auto cudnn = gpu::Cudnn::for_description(device("h200"), 90);
  const auto plans =
      cudnn->plans(strided(Convolution::Pass::forward, nn::Precision::fp16), 16_MiB, 1);
  REQUIRE(plans.size() == 1);
  CHECK_THROWS_WITH(cudnn->run(nullptr, *plans.front(), {}),
                    Catch::Contains("described device cannot be run"));
}

TEST_CASE("what is no description of a card is refused in a line") {
  const Convolution convolution = strided(Convolution::Pass::forward, nn::Precision::fp16);
  for (const char* json : {"", "H200", "[]", "{}", "{\"deviceVer\": \"nine\"}"}) {
    INFO(json);
    CHECK_THROWS_WITH(gpu::check_plan(convolution, json, 16_MiB), Catch::Contains("deviceVer"));
  }
}

TEST_CASE("a convolution of a graph has stored channels, and the padding of its layer") {
  const nn::Model model = nn::ModelBuilder("m", {10, 7, 3})
                              .conv(12, 3, nn::Padding::same, 2)
                              .relu()
                              .conv(5, 3, nn::Padding::valid, 1, false)
                              .batch_norm()
                              .relu()
                              .flatten()
                              .dense(4)
                              .build();
  const auto fp16 = gpu::test::asked_convolutions(model, 6, nn::Precision::fp16);
  REQUIRE(fp16.size() == 5);  // no gradient of the image
  // "same" at stride 2: 10 rows give 5 and need 1 row of padding, 7 columns give 4 and need 2.
  Convolution first;
  first.batch = 6;
  first.height = 10;
  first.width = 7;
  first.channels = 8;
  first.out_height = 5;
  first.out_width = 4;
  first.filters = 16;
  first.rows = first.columns = 3;
  first.stride = 2;
  first.bottom = 1;
  first.left = first.right = 1;
  first.bias = first.relu = true;
  CHECK(fp16[0] == first);

  const Convolution& second = fp16[1];
  CHECK(second.channels == 16);
  CHECK(second.filters == 8);
  CHECK_FALSE(second.bias);
  CHECK_FALSE(second.relu);  // batch norm reads it

  const auto tf32 = gpu::test::asked_convolutions(model, 6, nn::Precision::tf32);
  CHECK(tf32[0].channels == 4);
  CHECK(tf32[0].filters == 12);
  CHECK(tf32[1].filters == 8);
}

TEST_CASE("an H200 has deterministic plans for depthwise convolutions and those in groups") {
  const nn::Model model = nn::ModelBuilder("m", {28, 28, 3})
                              .conv(96, 3, nn::Padding::same)
                              .depthwise_conv(3, nn::Padding::same, 2, false)
                              .conv(64, 1)
                              .conv({.filters = 64, .padding = nn::Padding::all(1), .groups = 8})
                              .conv({.filters = 64, .padding = nn::Padding::all(2), .dilation = 2})
                              .flatten()
                              .dense(4)
                              .build();
  for (const nn::Precision precision :
       {nn::Precision::fp32, nn::Precision::tf32, nn::Precision::fp16, nn::Precision::bf16}) {
    for (Convolution convolution : gpu::test::asked_convolutions(model, 32, precision)) {
      convolution.bias = false;  // which is added by itself where there is no plan with it
      INFO(to_string(convolution));
      const gpu::PlanReport report = gpu::check_plan(convolution, device("h200"), 256_MiB);
      CHECK(report.exists);
      CHECK(report.deterministic);
    }
  }
}
