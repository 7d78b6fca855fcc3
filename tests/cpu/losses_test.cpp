// Every loss that nn knows, on oneDNN beside the float64 reference.

#include "catch.h"
#include "cpu/compare.h"

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
    for (const cpu::EngineOptions& engine :
         {cpu::EngineOptions{.threads = 1},
          cpu::EngineOptions{.threads = 2, .sharing = cpu::Sharing::slices}}) {
      test::check_weighed_outputs(*cpu::make_engine(engine), nn::ReferenceEngine(), model,
                                  {.batch = 7, .loss = loss, .optimizer = {.learning_rate = 0.1}});
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
