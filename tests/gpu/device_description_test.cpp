// What cuDNN says of the card that is here: the file with which plans are checked elsewhere.

#include "catch.h"

#include "gpu/asked_convolutions.h"
#include "gpu/device_under_test.h"
#include "gpu/plan_check.h"

#include <millrace/gpu/cuda/cudnn_plans.h>
#include <millrace/nn/zoo/zoo.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

using namespace millrace;

TEST_CASE("The description of the card has plans wherever the card itself has") {
  const std::string json = gpu::describe_device(0);
  const auto folder = std::filesystem::path(MILLRACE_SCRATCH) / "gpu";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "device.json") << json << '\n';
  std::cout << "wrote " << (folder / "device.json").string() << '\n';

  const int capability = gpu::test::device_under_test()->facts().capability;
  const auto here = gpu::Cudnn::for_current_device(capability);
  int all = 0, same = 0;
  for (const gpu::Convolution& convolution : gpu::test::asked_convolutions(
           nn::zoo_model("cnn", {150, 150, 3}, 10), 32, nn::Precision::fp16)) {
    INFO(to_string(convolution));
    const auto plans = here->plans(convolution, 16_MiB, 1);
    const gpu::PlanReport described = gpu::check_plan(convolution, json, 16_MiB);
    REQUIRE_FALSE(plans.empty());
    ++all;
    if (described.plan == plans.front()->implementation()) ++same;
    CHECK(described.exists);
    CHECK(described.tensor_cores);
    CHECK(described.deterministic);
  }
  // cuDNN may order its proposals otherwise for what it cannot see.
  std::cout << "measured: first plans that the description gives as the card does = " << same
            << " of " << all << '\n';
}
