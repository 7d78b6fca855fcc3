#include <millrace/nn/optimizer.h>

#include "catch.h"
#include "recorded.h"

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

OptimizerOptions options_of(const nlohmann::json& record) {
  OptimizerOptions options{.kind = optimizer_kind(record["kind"].get<std::string>())};
  options.learning_rate = record["learning_rate"];
  options.momentum = record.value("momentum", options.momentum);
  options.nesterov = record.value("nesterov", options.nesterov);
  if (record.contains("beta1")) options.beta1 = record["beta1"].get<double>();
  if (record.contains("beta2")) options.beta2 = record["beta2"].get<double>();
  options.epsilon = record.value("epsilon", options.epsilon);
  options.weight_decay = record.value("weight_decay", options.weight_decay);
  return options;
}

template <class Float>
void check_recorded(const nlohmann::json& record, double relative, double absolute) {
  const OptimizerOptions options = options_of(record["options"]);
  auto weights = test::list<Float>(record["start"]);
  std::vector<std::vector<Float>> arenas(static_cast<std::size_t>(state_arenas(options)),
                                         std::vector<Float>(weights.size()));
  const std::vector<std::span<Float>> states(arenas.begin(), arenas.end());
  for (std::size_t step = 0; step < record["gradients"].size(); ++step) {
    const auto gradients = test::list<Float>(record["gradients"][step]);
    update<Float>(options, record["rates"][step], static_cast<std::int64_t>(step) + 1, weights,
                  gradients, states);
    const auto expected = test::list<double>(record["weights"][step]);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      INFO("step " << step + 1 << ", weight " << i);
      CHECK(static_cast<double>(weights[i]) ==
            Approx(expected[i]).epsilon(relative).margin(absolute));
    }
  }
}

TEST_CASE("Steps are PyTorch's and Keras's, with a rate that changes on the way") {
  for (const auto& record : test::recorded("optimizers.json")) {
    // The libraries compute in float64 too: only the order of operations differs. Keras rounds
    // its betas and epsilon to float32.
    const bool is_keras = record["options"]["kind"] == "keras_adam";
    DYNAMIC_SECTION(record["options"]) {
      check_recorded<double>(record, is_keras ? 1e-6 : 1e-12, 0);
    }
  }
}

TEST_CASE("Steps in float differ by rounding alone") {
  for (const auto& record : test::recorded("optimizers.json")) {
    DYNAMIC_SECTION(record["options"]) {
      check_recorded<float>(record, 1e-6, 1e-6);
    }
  }
}

TEST_CASE("keras_adam and adam differ in where epsilon stands") {
  const std::vector<double> gradients{1e-6};
  const auto after_one_step = [&](OptimizerKind kind) {
    std::vector<double> weights{1}, first{0}, second{0};
    const std::vector<std::span<double>> states{first, second};
    update<double>({.kind = kind}, 0.001, 1, weights, gradients, states);
    return weights[0];
  };
  CHECK(after_one_step(OptimizerKind::keras_adam) == Approx(0.9997597469266479).epsilon(1e-14));
  CHECK(after_one_step(OptimizerKind::adam) == Approx(0.999009900990099).epsilon(1e-14));
}

TEST_CASE("An optimizer keeps no more state than it needs") {
  CHECK(state_arenas({.kind = OptimizerKind::sgd}) == 0);
  CHECK(state_arenas({.kind = OptimizerKind::sgd, .momentum = 0.9}) == 1);
  CHECK(state_arenas({.kind = OptimizerKind::adamw}) == 2);
  std::vector<float> weights(3), gradients(3), state(3);
  const std::vector<std::span<float>> states{state};
  CHECK_THROWS_WITH(update<float>({.kind = OptimizerKind::sgd}, 0.1, 1, weights, gradients, states),
                    Contains("sgd keeps 0 state arenas"));
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

TEST_CASE("Optimizers have names that read back") {
  std::string all;
  for (const OptimizerInfo& info : optimizers()) {
    CHECK(to_string(optimizer_kind(info.name)) == std::string(info.name));
    all += (all.empty() ? "" : ", ") + std::string(info.name);
  }
  CHECK(all.starts_with("sgd, adam, keras_adam, adamw"));
  CHECK_THROWS_WITH(optimizer_kind("lion"), Contains("known: " + all));
}

}  // namespace
