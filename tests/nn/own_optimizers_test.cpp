// Update rules as a user writes them: that of examples/own_optimizer, and some that go wrong.

#include <millrace/nn/optimizer.h>
#include <millrace/nn/optimizers/registry.h>
#include <millrace/nn/reference/engine.h>

#include "catch.h"
#include "engines/own_rules.h"
#include "nn/recorded_optimizers.h"
#include "own_optimizer/nesterov_adam.h"

#include <array>
#include <cmath>
#include <thread>

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

void in_float(const OptimizerOptions& options, double rate, std::int64_t t,
              std::span<float> weights, std::span<const float> gradients,
              std::span<const std::span<float>> states) {
  update_floats(options, update_constants(options, rate, t), weights, gradients, states);
}

TEST_CASE("Steps of Nesterov-Adam are PyTorch's, with a rate that changes on the way") {
  register_optimizer<NesterovAdam>();
  const nlohmann::json records = test::recorded("own.json")["steps"];
  for (const auto& record : records) {
    DYNAMIC_SECTION(record["options"]) {
      test::check_recorded<double>(record, 1e-12, 0, update);
      test::check_recorded<float>(record, 1e-6, 1e-6, in_float);
    }
  }
}

TEST_CASE("Nesterov-Adam is PyTorch's after thousands of steps, though it keeps no product") {
  const OptimizerOptions options{.kind = register_optimizer<NesterovAdam>()};
  std::vector<double> weight{1}, average{0}, square{0}, gradient{0};
  const std::vector<std::span<double>> states{average, square};
  for (int t = 0; t < 2000; ++t) {
    gradient[0] = std::cos(0.1 * t);
    update(options, 0.001, t + 1, weight, gradient, states);
  }
  CHECK(weight[0] == Approx(test::recorded("own.json")["after_2000"].get<double>()).epsilon(1e-10));
}

TEST_CASE("Every optimizer of the library takes the same step in float32 but for rounding") {
  for (const auto& record : test::recorded("optimizers.json")) {
    DYNAMIC_SECTION(record["options"]) {
      test::check_recorded<float>(record, 1e-6, 1e-6, in_float);
    }
  }
}

/// adagrad under another name.
template <class Named>
struct Renamed : Adagrad {
  static constexpr OptimizerInfo kInfo{
      .name = Named::kName, .learning_rate = 0.01, .epsilon = 1e-10};
};
struct First {
  static constexpr const char* kName = "first_of_all";
};
struct Taken {
  static constexpr const char* kName = "adam";
};
struct Spaced {
  static constexpr const char* kName = "my,rule";
};

TEST_CASE("A rule of a user's own is found by its name once it is registered, and refused before") {
  CHECK_THROWS_WITH(optimizer_kind("first_of_all"),
                    Contains("unknown optimizer 'first_of_all'; known: sgd, adam, "));
  const OptimizerKind kind = register_optimizer<Renamed<First>>();
  CHECK_FALSE(is_of_library(kind));
  CHECK(register_optimizer<Renamed<First>>() == kind);
  CHECK(optimizer_kind("first_of_all") == kind);
  CHECK(to_string(kind) == std::string("first_of_all"));
  CHECK(optimizer_info(kind).epsilon == 1e-10);
  CHECK(state_arenas({.kind = kind}) == 1);
  bool is_listed = false;
  for (const OptimizerInfo& info : optimizers()) {
    is_listed = is_listed || info.name == std::string("first_of_all");
  }
  CHECK(is_listed);
}

TEST_CASE("A rule whose name is another's, or none for a list, is refused") {
  CHECK(register_optimizer<Adam>() == OptimizerKind::adam);
  CHECK_THROWS_WITH(register_optimizer<Renamed<Taken>>(),
                    "optimizer 'adam': there is another of this name; call yours otherwise");
  CHECK_THROWS_WITH(register_optimizer<Renamed<Spaced>>(), Contains("'my,rule'"));
}

/// Divides by the root of what a gradient of 0 leaves 0.
struct Unsafe : Adagrad {
  static constexpr OptimizerInfo kInfo{.name = "unsafe", .learning_rate = 0.01};
};

TEST_CASE("A rule that makes something of zeros is refused, as gaps between parameters have them") {
  const OptimizerKind kind = register_optimizer<Unsafe>();
  CHECK_THROWS_WITH(validate(OptimizerOptions{.kind = kind}),
                    Contains("optimizer 'unsafe': of a weight, a gradient and states that are 0"));
  CHECK_NOTHROW(validate(OptimizerOptions{.kind = kind, .epsilon = 1e-10}));
  // Which float32 rounds to 0.
  CHECK_THROWS_AS(validate(OptimizerOptions{.kind = kind, .epsilon = 1e-60}), UsageError);
  CHECK_NOTHROW(validate(OptimizerOptions{.kind = register_optimizer<NesterovAdam>()}));
}

/// Whose steps grow: the weight goes by rate * growth * t.
struct Growing {
  static bool has_momentum(const UpdateOptions& options) { return options.momentum > 0; }
  static constexpr RuleOptions kOwn{{{.name = "first_share",
                                      .usual = 1,
                                      .range = at_least(0),
                                      .needs = "a momentum",
                                      .has_effect = has_momentum},
                                     {.name = "growth", .usual = 2, .range = above(1)}}};
  static constexpr OptimizerInfo kInfo{.name = "growing", .learning_rate = 1, .own = kOwn};
  static constexpr int kGrowth = place_of(kOwn, "growth");
  using Rule = Growing;
  static constexpr int kStates = 0;
  template <class Real>
  struct Fixed {
    Real unused;
  };
  template <class Real>
  struct Step {
    Real rate;
  };
  static Fixed<double> fixed(const UpdateOptions& /*options*/) { return {0}; }
  static Step<double> step(const UpdateOptions& options, double rate, double t) {
    return {rate * options.own[kGrowth] * t};
  }
  template <class Math, class Real>
  static void apply(const Fixed<Real>& /*c*/, const Step<Real>& now, Real gradient, Real& weight) {
    weight -= now.rate * gradient;
  }
};

TEST_CASE("A rule's own options are what was given, else its usual values") {
  const OptimizerKind kind = register_optimizer<Growing>();
  const auto after_third_step = [&](const OptimizerOptions& options) {
    validate(options);
    std::vector<double> weights{0}, gradients{-1};
    update(options, 1, 3, weights, gradients, {});
    std::vector<float> floats{0}, slopes{-1};
    in_float(options, 1, 3, floats, slopes, {});
    CHECK(static_cast<double>(floats[0]) == weights[0]);
    return weights[0];
  };
  CHECK(after_third_step({.kind = kind}) == 6);
  CHECK(after_third_step({.kind = kind, .own = {{"growth", 3}}}) == 9);
  CHECK(after_third_step({.kind = kind, .momentum = 0.5, .own = {{"first_share", 0}}}) == 6);
}

TEST_CASE(
    "A rule's own options are refused out of their range, without what they need, and where "
    "the kind has none of that name") {
  const OptimizerKind kind = register_optimizer<Growing>();
  const auto with = [kind](const char* name, double value) {
    return OptimizerOptions{.kind = kind, .own = {{name, value}}};
  };
  CHECK_THROWS_WITH(validate(with("growth", 1)), "growth: expected above 1, not 1");
  CHECK_THROWS_WITH(validate(with("growth", NAN)), "growth: expected above 1, not nan");
  CHECK_THROWS_WITH(validate(with("growht", 3)), "growht: growing has none");
  CHECK_THROWS_WITH(validate(with("first_share", 0.5)), "first_share: needs a momentum");
  CHECK_NOTHROW(validate(with("first_share", 1)));  // as it is by itself
  CHECK_THROWS_WITH(validate({.kind = OptimizerKind::adam, .own = {{"growth", 3}}}),
                    "growth: adam has none");
}

TEST_CASE("A rule with a momentum of its own has another rule and other states with it") {
  const OptimizerKind kind = register_optimizer<test::Heavy>();
  CHECK(state_arenas({.kind = kind}) == 0);
  CHECK(state_arenas({.kind = kind, .momentum = 0.5}) == 1);
  std::vector<double> weights{1}, gradients{2}, buffer{0};
  const std::vector<std::span<double>> states{buffer};
  update({.kind = kind, .momentum = 0.5}, 0.1, 1, weights, gradients, states);
  update({.kind = kind, .momentum = 0.5}, 0.1, 2, weights, gradients, states);
  CHECK(weights[0] == Approx(1 - 0.1 * 2 - 0.1 * 3));
}

TEST_CASE(
    "A run on the reference engine goes on with the states of a rule as if it had not ended") {
  test::check_resumed(ReferenceEngine(), {.kind = register_optimizer<NesterovAdam>()});
}

TEST_CASE("A number that no optimizer has is a fault of the caller's") {
  CHECK_THROWS_AS(optimizer_info(static_cast<OptimizerKind>(100000)), std::logic_error);
  CHECK_THROWS_AS(state_arenas({.kind = static_cast<OptimizerKind>(-1)}), std::logic_error);
  const OptimizerKind kind = register_optimizer<NesterovAdam>();
  CHECK_THROWS_AS(with_optimizer(kind, 0, []<class T>() {}), std::logic_error);
}

TEST_CASE("Threads may look rules up while others are registered") {
  std::vector<OptimizerKind> kinds(4);
  std::vector<std::thread> threads;
  for (OptimizerKind& mine : kinds) {
    threads.emplace_back([&] {
      mine = register_optimizer<NesterovAdam>();
      for (int i = 0; i < 100; ++i) (void)optimizers();
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(kinds == std::vector<OptimizerKind>(4, optimizer_kind("nesterov_adam")));
}

}  // namespace
