#include <millrace/nn/optimizer.h>

#include <cmath>

#include "catch.h"
#include "nn/recorded_optimizers.h"

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

TEST_CASE("Steps are PyTorch's and Keras's, with a rate that changes on the way") {
  for (const auto& record : test::recorded("optimizers.json")) {
    // The libraries compute in float64 too: only the order of operations differs. Keras rounds
    // its betas and epsilon to float32.
    const bool is_keras = record["options"]["kind"] == "keras_adam";
    DYNAMIC_SECTION(record["options"]) {
      test::check_recorded<double>(record, is_keras ? 1e-6 : 1e-12, 0, update);
    }
  }
}

TEST_CASE("keras_adam and adam differ in where epsilon stands") {
  const std::vector<double> gradients{1e-6};
  const auto after_one_step = [&](OptimizerKind kind) {
    std::vector<double> weights{1}, first{0}, second{0};
    const std::vector<std::span<double>> states{first, second};
    update({.kind = kind}, 0.001, 1, weights, gradients, states);
    return weights[0];
  };
  CHECK(after_one_step(OptimizerKind::keras_adam) == Approx(0.9997597469266479).epsilon(1e-14));
  CHECK(after_one_step(OptimizerKind::adam) == Approx(0.999009900990099).epsilon(1e-14));
}

TEST_CASE("An optimizer keeps no more state than it needs") {
  CHECK(state_arenas({.kind = OptimizerKind::sgd}) == 0);
  CHECK(state_arenas({.kind = OptimizerKind::sgd, .momentum = 0.9}) == 1);
  CHECK(state_arenas({.kind = OptimizerKind::adamw}) == 2);
  std::vector<double> weights(3), gradients(3), state(3);
  const std::vector<std::span<double>> states{state};
  CHECK_THROWS_WITH(update({.kind = OptimizerKind::sgd}, 0.1, 1, weights, gradients, states),
                    Contains("sgd keeps 0 state arenas"));
}

TEST_CASE("A gradient that is not a number makes lion's weight one that is not") {
  std::vector<double> weights{1, 1}, gradients{std::nan(""), 0}, average{0, 0};
  const std::vector<std::span<double>> states{average};
  update({.kind = OptimizerKind::lion}, 0.1, 1, weights, gradients, states);
  CHECK(std::isnan(weights[0]));
  CHECK(weights[1] == 1);
}

TEST_CASE("Options out of their range are refused by name") {
  CHECK_NOTHROW(validate(OptimizerOptions{.momentum = 0.9, .nesterov = true}));
  CHECK_THROWS_WITH(validate(OptimizerOptions{.learning_rate = 0}),
                    "learning_rate: expected a positive number, not 0");
  CHECK_THROWS_WITH(validate(OptimizerOptions{.momentum = 1}), Contains("momentum: expected"));
  CHECK_THROWS_WITH(validate(OptimizerOptions{.nesterov = true}), Contains("nesterov: expected"));
  CHECK_THROWS_WITH(validate(OptimizerOptions{.beta2 = -0.1}), Contains("beta2: expected"));
  CHECK_THROWS_WITH(validate(OptimizerOptions{.epsilon = -1}), Contains("epsilon: expected"));
  CHECK_THROWS_WITH(validate(OptimizerOptions{.weight_decay = -1}), Contains("weight_decay"));
}

TEST_CASE("sgd dampens its momentum, but for the first step") {
  // buffers 1, 0.9 + 0.25, 0.9 * 1.15 + 0.25
  const OptimizerOptions options{.momentum = 0.9, .own = {{"dampening", 0.75}}};
  std::vector<double> weights{0}, gradients{1}, buffer{0};
  const std::vector<std::span<double>> states{buffer};
  std::int64_t t = 0;
  for (const double expected : {1.0, 1.15, 1.285}) {
    update(options, 0.1, ++t, weights, gradients, states);
    CHECK(buffer[0] == Approx(expected).epsilon(1e-15));
  }
  CHECK_NOTHROW(validate(options));
}

TEST_CASE("A dampening is refused out of its range, without a momentum, and for other optimizers") {
  const auto refusal = [](const OptimizerOptions& options) -> std::string {
    try {
      validate(options);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  };
  const auto dampened = [](double value) {
    return OptimizerOptions{.momentum = 0.9, .own = {{"dampening", value}}};
  };
  CHECK(refusal(dampened(0.5)).empty());
  CHECK(refusal(dampened(1)) == "dampening: expected in [0, 1), not 1");
  CHECK(refusal(dampened(-0.5)) == "dampening: expected in [0, 1), not -0.5");
  OptimizerOptions nesterov = dampened(0.5), plain = dampened(0.5), adam = dampened(0.5);
  nesterov.nesterov = true;
  plain.momentum = 0;
  adam.kind = OptimizerKind::adam;
  CHECK(refusal(nesterov) == "dampening: needs a momentum above 0 that is not Nesterov's");
  CHECK(refusal(plain) == "dampening: needs a momentum above 0 that is not Nesterov's");
  CHECK(refusal(adam) == "dampening: adam has none");
}

TEST_CASE("Optimizers have names that read back") {
  std::string all;
  for (const OptimizerInfo& info : optimizers()) {
    CHECK(to_string(optimizer_kind(info.name)) == std::string(info.name));
    all += (all.empty() ? "" : ", ") + std::string(info.name);
  }
  CHECK(all.starts_with("sgd, adam, keras_adam, adamw"));
  CHECK_THROWS_WITH(optimizer_kind("lamb"), Contains("known: " + all));
}

}  // namespace
