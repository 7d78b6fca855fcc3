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
