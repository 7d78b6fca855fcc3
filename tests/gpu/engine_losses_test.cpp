// Every loss that nn knows, on the device under test beside the float64 reference, and what
// programs bring along.

#include <millrace/nn/losses/registry.h>
#include <millrace/nn/optimizers/registry.h>

#include "catch.h"
#include "gpu/engines.h"

using namespace millrace;
using nn::ModelBuilder;
using test::check_model;

TEST_CASE("Every loss and its gradients agree with float64") {
  const nn::Model model = ModelBuilder("m", {6, 5, 3}).conv(8).relu().flatten().dense(4).build();
  for (std::size_t i = 0; i < nn::Losses::size; ++i) {
    const auto loss = static_cast<nn::Loss>(i);
    INFO(nn::loss_info(loss).name);
    check_model(model, {.batch = 7, .loss = loss, .optimizer = {.learning_rate = 0.1}}, {7, 3});
  }
}

TEST_CASE("Weights of outputs, masks among them, agree with float64") {
  const nn::Model model = ModelBuilder("m", {6, 5, 3}).conv(8).relu().flatten().dense(4).build();
  for (std::size_t i = 0; i < nn::Losses::size; ++i) {
    const auto loss = static_cast<nn::Loss>(i);
    if (!nn::loss_info(loss).weighs_outputs) continue;
    INFO(nn::loss_info(loss).name);
    for (const nn::Precision precision :
         {nn::Precision::fp32, nn::Precision::fp16, nn::Precision::bf16}) {
      if (!test::computes(precision)) continue;
      const test::TestedEngine tested(precision);
      test::check_weighed_outputs(*tested.engine, test::reference_for(precision), model,
                                  {.batch = 7, .loss = loss, .optimizer = {.learning_rate = 0.1}},
                                  test::nearness_of(precision));
      tested.check_device();
    }
  }
}

TEST_CASE("A sigmoid before a loss of numbers agrees with float64") {
  ModelBuilder builder("m", {6, 5, 3});
  const nn::Model model = builder.conv(8).relu().flatten().dense(4).sigmoid().build();
  check_model(
      model,
      {.batch = 7, .loss = nn::Loss::mean_squared_error, .optimizer = {.learning_rate = 0.1}},
      {7, 3});
}

namespace {

struct OwnLoss : nn::MeanAbsoluteError {
  static constexpr nn::LossInfo kInfo = nn::mean_error_info("own loss", "own_loss", "own_loss");
};

struct OwnOptimizer : nn::Adam {
  static constexpr nn::OptimizerInfo kInfo{
      .name = "own_optimizer", .learning_rate = 0.001, .beta1 = 0.9, .epsilon = 1e-8};
};

}  // namespace

TEST_CASE("A loss or an optimizer of a user's own is refused by its name") {
  const nn::Model model = ModelBuilder("m", {4}).dense(2).build();
  const test::TestedEngine tested(nn::Precision::fp32);
  const nn::Loss loss = nn::register_loss<OwnLoss>();
  for (const bool training : {true, false}) {
    CHECK_THROWS_WITH(
        tested.engine->compile(model, {.batch = 2, .training = training, .loss = loss}),
        "gpu: this engine cannot do the loss 'own_loss', which is none of Millrace's own; train on "
        "the CPU engine");
  }
  nn::CompileOptions options{.batch = 2,
                             .optimizer = {.kind = nn::register_optimizer<OwnOptimizer>()}};
  CHECK_THROWS_WITH(
      tested.engine->compile(model, options),
      "gpu: this engine cannot do the optimizer 'own_optimizer', which is none of Millrace's own; "
      "train on the CPU engine");
  options.training = false;
  CHECK_NOTHROW(tested.engine->compile(model, options));
}
