// Updates whose gradients are scaled, or not finite, and gradients that are read as they are.

#include "arena_steps.h"
#include "catch.h"

#include <limits>
#include <string>

namespace {

using namespace millrace;
using gpu::Type;
using nn::OptimizerKind;
using test::ArenaState;
using test::ArenaSteps;
using test::check_near;
using test::kTypes;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

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

}  // namespace
