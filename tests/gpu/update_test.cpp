#include "arena_steps.h"
#include "catch.h"
#include "engines/optimizers.h"

#include <limits>
#include <string>

namespace {

using namespace millrace;
using gpu::Type;
using nn::OptimizerKind;
using test::ArenaOptions;
using test::ArenaState;
using test::ArenaSteps;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr Type kTypes[] = {Type::f32, Type::f16, Type::bf16};

/// float32 against float64: `relative` of the number, and of a number of size 1.
void check_near(std::span<const float> values, const std::vector<double>& expected,
                double relative) {
  REQUIRE(values.size() == expected.size());
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double error = std::abs(static_cast<double>(values[i]) - expected[i]);
    worst = std::max(worst, error / (1 + std::abs(expected[i])));
  }
  CHECK(worst <= relative);
}

void check_steps(const ArenaOptions& options, double size_of_gradients = 0.5) {
  ArenaSteps steps(options);
  for (std::int64_t t = 1; t <= 5; ++t) {
    const double rate = 0.1 / static_cast<double>(t);
    steps.draw_gradients(size_of_gradients);
    steps.begin(t, rate);
    const double penalty = steps.update_exactly(t, rate);
    steps.update();
    INFO("step " << t);
    CHECK(steps.scalars().found_infinite == 0);
    CHECK(steps.scalars().penalty == Approx(penalty).epsilon(1e-6));
    check_near(steps.state().weights, steps.exact_weights(), 2e-6);
  }
}

TEST_CASE("An update is nn's, whatever the optimizer and the storage type") {
  for (const Type type : kTypes) {
    for (const nn::OptimizerOptions& optimizer : test::optimizer_cases()) {
      DYNAMIC_SECTION(to_string(type) << ", " << test::name_of(optimizer)) {
        check_steps({.type = type, .optimizer = optimizer});
      }
    }
  }
}

TEST_CASE("L2 and clips come before the optimizer, in float32 and unscaled") {
  const std::vector<nn::GradientOptions> gradients{
      {.l2 = 0.03},
      {.clip_value = 0.3},
      {.clip_norm = 1.5},
      {.clip_global_norm = 2},
      {.clip_global_norm = 1e6},  // longer than any: nothing is clipped
      {.l2 = 0.03, .clip_value = 0.3},
      {.l2 = 0.03, .clip_norm = 1.5},
      {.l2 = 0.03, .clip_global_norm = 2},
  };
  for (const Type type : kTypes) {
    for (const nn::GradientOptions& gradient : gradients) {
      DYNAMIC_SECTION(to_string(type)
                      << ", l2 " << gradient.l2 << ", value " << gradient.clip_value << ", norm "
                      << gradient.clip_norm << ", global " << gradient.clip_global_norm) {
        const nn::OptimizerOptions optimizer{.momentum = 0.9};
        check_steps({.type = type, .optimizer = optimizer, .gradient = gradient});
        check_steps({.type = type,
                     .optimizer = optimizer,
                     .gradient = gradient,
                     .loss_scale = nn::LossScaleOptions{.initial = 1024}});
      }
    }
  }
}

TEST_CASE("Arenas of any size are summed and updated to their last element") {
  for (const std::size_t last : {1, 2, 7, 8, 9, 15, 17, 300001}) {
    DYNAMIC_SECTION("last parameter of " << last) {
      for (const Type type : {Type::f32, Type::f16}) {
        check_steps({.type = type,
                     .optimizer = {.kind = OptimizerKind::adam},
                     .gradient = {.l2 = 1e-3, .clip_global_norm = 1},
                     .counts = {3, 20, last}});
        check_steps({.type = type, .gradient = {.clip_norm = 1}, .counts = {last}});
      }
    }
  }
}

TEST_CASE("Sums come out the same to the bit each time") {
  const ArenaOptions options{.gradient = {.l2 = 1e-3, .clip_global_norm = 1},
                             .counts = {200003, 17}};
  ArenaSteps one(options), other(options);
  for (ArenaSteps* steps : {&one, &other}) {
    steps->draw_gradients(0.5);
    steps->begin(1, 0.1);
    steps->update();
  }
  CHECK(one.scalars().penalty == other.scalars().penalty);
  CHECK(one.scalars().clip == other.scalars().clip);
}

TEST_CASE("The working copy is the new weight, rounded to nearest even") {
  for (const Type type : {Type::f16, Type::bf16}) {
    ArenaSteps steps({.type = type, .optimizer = {.momentum = 0.9}});
    test::Stored expected(type, steps.size());
    const auto check_copy = [&] {
      for (std::size_t i = 0; i < steps.size(); ++i) expected.set(i, steps.state().weights[i]);
      CHECK(steps.state().working == expected);
    };
    check_copy();  // refresh_working()
    steps.draw_gradients(0.5);
    steps.begin(1, 0.1);
    steps.update();
    check_copy();
  }
}

TEST_CASE("What is masked becomes +0, in the working copy too, and only when masks are on") {
  ArenaSteps steps({.type = Type::f16, .optimizer = {.momentum = 0.9}, .masks = true});
  for (const bool masked : {false, true}) {
    steps.draw_gradients(0.5);
    steps.begin(masked ? 2 : 1, 0.1, 1, masked);
    steps.update_exactly(masked ? 2 : 1, 0.1, masked);
    steps.update();
    check_near(steps.state().weights, steps.exact_weights(), 1e-6);
  }
  std::size_t masked = 0;
  steps.for_each([&](std::size_t i) {
    if (steps.masks()[i] != 0) return;
    ++masked;
    CHECK(steps.state().weights[i] == 0.0F);
    CHECK_FALSE(std::signbit(steps.state().weights[i]));
    CHECK_FALSE(std::signbit(steps.state().working.get(i)));
  });
  CHECK(masked > 10);
}

TEST_CASE("An average takes the new weights, and is masked as they are") {
  for (const Type type : kTypes) {
    for (const std::size_t last : {1, 7, 17, 3001}) {
      DYNAMIC_SECTION(to_string(type) << ", last parameter of " << last) {
        ArenaSteps steps({.type = type,
                          .optimizer = {.momentum = 0.9},
                          .masks = true,
                          .average = 0.75,
                          .counts = {37, 5, last}});
        for (std::int64_t t = 1; t <= 4; ++t) {
          const bool is_masked = t > 2;
          steps.draw_gradients(0.5);
          steps.begin(t, 0.1, 1, is_masked);
          steps.update_exactly(t, 0.1, is_masked);
          steps.update();
          check_near(steps.state().weights, steps.exact_weights(), 2e-6);
          check_near(steps.state().average, steps.exact_average(), 2e-6);
        }
      }
    }
  }
}

TEST_CASE("Weights and averages change places, working copies with them, and back to the bit") {
  for (const Type type : kTypes) {
    ArenaSteps steps({.type = type, .average = 0.75, .counts = {37, 5, 3001}});
    steps.draw_gradients(0.5);
    steps.begin(1, 0.1);
    steps.update();
    const ArenaState before = steps.state();
    steps.swap_average();
    CHECK(steps.state().weights == before.average);
    CHECK(steps.state().average == before.weights);
    test::Stored expected(type, steps.size());
    for (std::size_t i = 0; i < steps.size(); ++i) expected.set(i, before.average[i]);
    if (type != Type::f32) CHECK(steps.state().working == expected);
    steps.swap_average();
    CHECK(steps.state().weights == before.weights);
    CHECK(steps.state().average == before.average);
    if (type != Type::f32) CHECK(steps.state().working == before.working);
  }
}

TEST_CASE("A step with an infinity or a NaN changes nothing but the loss scale") {
  for (const Type type : kTypes) {
    for (const float bad : {kInfinity, -kInfinity, kNaN}) {
      for (const nn::GradientOptions& gradient :
           {nn::GradientOptions{}, nn::GradientOptions{.l2 = 0.01, .clip_value = 1},
            nn::GradientOptions{.clip_norm = 1}, nn::GradientOptions{.clip_global_norm = 1}}) {
        ArenaSteps steps({.type = type,
                          .optimizer = {.kind = OptimizerKind::adam},
                          .gradient = gradient,
                          .loss_scale = nn::LossScaleOptions{.initial = 256},
                          .masks = true,
                          .average = 0.9});
        steps.draw_gradients(0.5);
        steps.begin(1, 0.1);
        steps.update();
        const ArenaState before = steps.state();
        for (const std::size_t where : {std::size_t{0}, std::size_t{40}, steps.size() - 1}) {
          steps.draw_gradients(0.5);
          steps.set_gradient(where, bad);
          steps.begin(2, 0.1);
          steps.update();
          CHECK(steps.scalars().found_infinite == 1);
          CHECK(steps.state() == before);
        }
        CHECK(steps.scalars().loss_scale == nn::LossScaleState{32, 0, 3});
      }
    }
  }
}

// The vector of Keras's LossScaleOptimizer.
TEST_CASE("The loss scale goes Keras's way, and Adam does not count what was skipped") {
  for (const OptimizerKind kind :
       {OptimizerKind::adam, OptimizerKind::keras_adam, OptimizerKind::adamw}) {
    ArenaSteps steps({.type = Type::f16,
                      .optimizer = {.kind = kind, .weight_decay = 0.01},
                      .loss_scale = nn::LossScaleOptions{.growth_steps = 3}});
    const std::string pattern = "FFXFFFF";
    const double scales[] = {32768, 32768, 16384, 16384, 16384, 32768, 32768};
    const std::int64_t good_steps[] = {1, 2, 0, 1, 2, 0, 1};
    const std::int64_t updates[] = {1, 2, 2, 3, 4, 5, 6};
    for (std::size_t k = 0; k < pattern.size(); ++k) {
      const auto t = static_cast<std::int64_t>(k) + 1;
      steps.draw_gradients(0.1);
      steps.begin(t, 0.01);
      if (pattern[k] == 'X') {
        steps.set_gradient(3, kInfinity);
      } else {
        steps.update_exactly(updates[k], 0.01);
      }
      steps.update();
      INFO("step " << t);
      const nn::LossScaleState& state = steps.scalars().loss_scale;
      CHECK(state.scale == scales[k]);
      CHECK(state.good_steps == good_steps[k]);
      CHECK(t - state.skipped == updates[k]);
      check_near(steps.state().weights, steps.exact_weights(), 2e-6);
    }
  }
}

TEST_CASE("Without loss scaling nothing is skipped: what went wrong shows") {
  for (const nn::GradientOptions& gradient :
       {nn::GradientOptions{}, nn::GradientOptions{.clip_global_norm = 1}}) {
    ArenaSteps steps({.type = Type::bf16, .gradient = gradient});
    steps.draw_gradients(0.5);
    steps.set_gradient(3, kNaN);
    steps.begin(1, 0.1);
    steps.update();
    CHECK(std::isnan(steps.state().weights[3]));
    CHECK(std::isnan(steps.state().weights[4]) == (gradient.clip_global_norm > 0));
    CHECK(steps.scalars().loss_scale == nn::LossScaleState{});
  }
}

TEST_CASE("Gradients read as the optimizer was given them, though weights and scale moved on") {
  for (const nn::GradientOptions& gradient :
       {nn::GradientOptions{}, nn::GradientOptions{.l2 = 0.05},
        nn::GradientOptions{.clip_value = 0.3}, nn::GradientOptions{.clip_norm = 1},
        nn::GradientOptions{.clip_global_norm = 1},
        nn::GradientOptions{.l2 = 0.05, .clip_norm = 1}}) {
    ArenaSteps steps({.type = Type::f16,
                      .gradient = gradient,
                      .loss_scale = nn::LossScaleOptions{.growth_steps = 1}});
    steps.draw_gradients(0.5);
    steps.begin(1, 0.1);
    steps.update_exactly(1, 0.1);
    steps.update();
    CHECK(steps.scalars().loss_scale.scale == 65536);
    check_near(steps.read_gradients(true), steps.exact_gradients(), 1e-6);
  }
}

TEST_CASE("Without an update gradients and penalty are those of the weights as they are") {
  ArenaSteps steps({.type = Type::f16,
                    .gradient = {.l2 = 0.05, .clip_norm = 0.1},
                    .loss_scale = nn::LossScaleOptions{}});
  steps.draw_gradients(0.5);
  steps.begin(1, 0.1);
  const double penalty = steps.differentiate_exactly();
  steps.penalty();
  CHECK(steps.scalars().penalty == Approx(penalty).epsilon(1e-12));
  check_near(steps.read_gradients(false), steps.exact_gradients(), 1e-6);
}

TEST_CASE("An update is as few launches as its options allow") {
  const auto launches = [](const ArenaOptions& options) {
    gpu::Scalars scalars{};
    return gpu::update(options.type, ArenaSteps(options).arenas(), options.optimizer,
                       options.gradient, options.loss_scale ? &*options.loss_scale : nullptr,
                       &scalars)
        .size();
  };
  CHECK(launches({}) == 2);
  CHECK(launches({.gradient = {.clip_value = 1}}) == 2);
  CHECK(launches({.type = Type::f16, .loss_scale = nn::LossScaleOptions{}}) == 3);
  CHECK(launches({.gradient = {.l2 = 1}, .loss_scale = nn::LossScaleOptions{}}) == 4);
}

TEST_CASE("An update that lacks memory for what its options ask is refused") {
  ArenaSteps steps(ArenaOptions{});
  gpu::UpdateArenas arenas = steps.arenas();
  arenas.partials = nullptr;
  const auto updated = [&](const nn::GradientOptions& gradient) {
    return gpu::update(Type::f32, arenas, {}, gradient, nullptr, &steps.scalars());
  };
  CHECK_NOTHROW(updated({.clip_value = 1}));
  CHECK_THROWS_WITH(gpu::update(Type::f32, arenas, {}, {}, nullptr, &steps.scalars(), 0.9),
                    Catch::Contains("averages"));
  CHECK_THROWS_WITH(updated({.clip_global_norm = 1}), Catch::Contains("partial sums"));
}

}  // namespace
