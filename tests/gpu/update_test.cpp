#include "arena_steps.h"
#include "catch.h"
#include "engines/optimizers.h"

#include <string>

namespace {

using namespace millrace;
using gpu::Type;
using nn::OptimizerKind;
using test::ArenaOptions;
using test::ArenaState;
using test::ArenaSteps;
using test::check_near;
using test::kTypes;

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
  // Field by field: of the whole at once g++ 12 thinks that a map is destroyed before it is made.
  ArenaOptions options;
  options.gradient = {.l2 = 1e-3, .clip_global_norm = 1};
  options.counts = {200003, 17};
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
