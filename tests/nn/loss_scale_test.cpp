#include <millrace/core/error.h>
#include <millrace/nn/loss_scale.h>

#include "catch.h"
#include "nn/recorded.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

LossScaleOptions options_of(const nlohmann::json& record) {
  LossScaleOptions options =
      record["library"] == "keras" ? LossScaleOptions::keras() : LossScaleOptions::torch();
  options.initial = record.value("initial", options.initial);
  options.growth_steps = record.value("growth_steps", options.growth_steps);
  return options;
}

TEST_CASE("The loss scale moves as Keras's LossScaleOptimizer and PyTorch's GradScaler move it") {
  for (const auto& record : test::recorded("loss_scale.json")) {
    const std::string pattern = record["pattern"];
    INFO(record["library"] << " " << pattern.substr(0, 60));
    const LossScaleOptions options = options_of(record);
    validate(options);
    LossScaleState state{.scale = options.initial};
    std::size_t step = 0;
    for (const auto& expected : record["states"]) {
      for (; step < expected[0].get<std::size_t>(); ++step) {
        advance(state, options, pattern[step] == 'F');
      }
      INFO("step " << step);
      CHECK(state.scale == expected[1].get<double>());
      CHECK(state.good_steps == expected[2].get<std::int64_t>());
      CHECK(state.skipped == expected[3].get<std::int64_t>());
    }
  }
}

// Worked out by hand from the rule, with an infinity in the third step.
TEST_CASE("With growth after three good steps a scale of 32768 falls once and comes back") {
  LossScaleOptions options = LossScaleOptions::keras();
  options.growth_steps = 3;
  LossScaleState state{.scale = options.initial};
  std::vector<double> scales;
  std::vector<std::int64_t> good, taken;
  std::int64_t step = 0;
  for (const bool finite : {true, true, false, true, true, true, true}) {
    advance(state, options, finite);
    scales.push_back(state.scale);
    good.push_back(state.good_steps);
    taken.push_back(++step - state.skipped);
  }
  CHECK(scales == std::vector<double>{32768, 32768, 16384, 16384, 16384, 32768, 32768});
  CHECK(good == std::vector<std::int64_t>{1, 2, 0, 1, 2, 0, 1});
  CHECK(taken == std::vector<std::int64_t>{1, 2, 2, 3, 4, 5, 6});
}

TEST_CASE("The scale falls no lower than its floor") {
  const LossScaleOptions options{.initial = 4, .floor = 1};
  LossScaleState state{.scale = options.initial};
  for (int step = 0; step < 5; ++step) advance(state, options, false);
  CHECK(state == LossScaleState{.scale = 1, .good_steps = 0, .skipped = 5});
}

TEST_CASE("A scale that float32 could not hold stays, and its count begins anew") {
  const LossScaleOptions options{.initial = 0x1p127, .growth_steps = 2};
  LossScaleState state{.scale = options.initial, .good_steps = 1};
  advance(state, options, true);
  CHECK(state == LossScaleState{.scale = 0x1p127});
}

TEST_CASE("Options of the loss scale that are out of range are named") {
  CHECK_NOTHROW(validate(LossScaleOptions::keras()));
  CHECK_NOTHROW(validate(LossScaleOptions::torch()));
  CHECK_THROWS_WITH(validate(LossScaleOptions{.initial = 0}), Contains("loss scale"));
  CHECK_THROWS_WITH(validate(LossScaleOptions{.initial = 1e39}), Contains("loss scale"));
  CHECK_THROWS_WITH(validate(LossScaleOptions{.initial = std::numeric_limits<double>::quiet_NaN()}),
                    Contains("loss scale"));
  CHECK_THROWS_WITH(validate(LossScaleOptions{.growth_steps = 0}), Contains("growth_steps"));
  CHECK_THROWS_WITH(validate(LossScaleOptions{.growth = 0.5}), Contains("growth"));
  CHECK_THROWS_WITH(validate(LossScaleOptions{.backoff = 1}), Contains("backoff"));
  CHECK_THROWS_WITH(validate(LossScaleOptions{.floor = 65536}), Contains("floor"));
}

}  // namespace
