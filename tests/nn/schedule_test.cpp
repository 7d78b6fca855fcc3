#include <millrace/core/error.h>
#include <millrace/nn/schedule.h>

#include "catch.h"
#include "recorded.h"

#include <cmath>

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

ScheduleOptions options_of(const nlohmann::json& record) {
  ScheduleOptions o{.kind = schedule_kind(record["kind"].get<std::string>())};
  o.decay_steps = record.value("decay_steps", o.decay_steps);
  o.decay_rate = record.value("decay_rate", o.decay_rate);
  o.end_factor = record.value("end_factor", o.end_factor);
  o.power = record.value("power", o.power);
  o.staircase = record.value("staircase", o.staircase);
  o.cycle = record.value("cycle", o.cycle);
  o.milestones = record.value("milestones", o.milestones);
  o.factors = record.value("factors", o.factors);
  o.restart_growth = record.value("restart_growth", o.restart_growth);
  o.restart_factor = record.value("restart_factor", o.restart_factor);
  o.warmup_steps = record.value("warmup_steps", o.warmup_steps);
  o.warmup_from = record.value("warmup_from", o.warmup_from);
  return o;
}

TEST_CASE("Rates are Keras's and PyTorch's over 1,000 steps") {
  for (const auto& record : test::recorded("schedules.json")) {
    DYNAMIC_SECTION(record["source"].get<std::string>() << " " << record["options"]) {
      const ScheduleOptions options = options_of(record["options"]);
      validate(options);
      const double base = record["base"];
      REQUIRE(record["rates"].size() == 1001);
      double furthest = 0;
      for (std::size_t step = 0; step < record["rates"].size(); ++step) {
        const double expected = record["rates"][step];
        const double rate = learning_rate(options, base, step);
        furthest = std::max(furthest, std::abs(rate - expected) / std::max(expected, 1e-3 * base));
      }
      CHECK(furthest < 1e-6);
    }
  }
}

TEST_CASE("A rate keeps its last value after the end of its schedule") {
  const auto at = [](ScheduleOptions options, std::uint64_t step) {
    return learning_rate(options, 0.5, step);
  };
  const ScheduleOptions cosine{
      .kind = ScheduleKind::cosine, .decay_steps = 100, .end_factor = 0.2, .warmup_steps = 10};
  CHECK(at(cosine, 0) == 0);
  CHECK(at(cosine, 10) == 0.5);
  CHECK(at(cosine, 110) == Approx(0.1));
  CHECK(at(cosine, 1'000'000'000'000) == Approx(0.1));
  CHECK(at({.kind = ScheduleKind::polynomial, .decay_steps = 7}, 8) == 0);
  CHECK(at({}, 1'000'000) == 0.5);
}

TEST_CASE("Schedules out of their range are refused by name") {
  using Kind = ScheduleKind;
  CHECK_NOTHROW(validate(ScheduleOptions{}));
  CHECK_THROWS_WITH(validate(ScheduleOptions{.kind = Kind::cosine}),
                    "decay_steps: expected 1 or more, not 0");
  CHECK_THROWS_WITH(validate(ScheduleOptions{.decay_rate = 0}), Contains("decay_rate"));
  CHECK_THROWS_WITH(validate(ScheduleOptions{.end_factor = -1}), Contains("end_factor"));
  CHECK_THROWS_WITH(validate(ScheduleOptions{.power = 0}), Contains("power"));
  CHECK_THROWS_WITH(validate(ScheduleOptions{.restart_growth = 0.5}), Contains("restart_growth"));
  CHECK_THROWS_WITH(validate(ScheduleOptions{.warmup_from = -0.1}), Contains("warmup_from"));
  CHECK_THROWS_WITH(validate(ScheduleOptions{.kind = Kind::piecewise}), Contains("milestones"));
  CHECK_THROWS_WITH(validate(ScheduleOptions{.kind = Kind::piecewise, .milestones = {5, 3}}),
                    Contains("ascending"));
  CHECK_THROWS_WITH(
      validate(ScheduleOptions{.kind = Kind::piecewise, .milestones = {5}, .factors = {1, 2}}),
      Contains("one for each of the 1 milestones, not 2"));
}

TEST_CASE("Schedules have names that read back") {
  for (const char* name : {"constant", "step", "piecewise", "exponential", "inverse-time",
                           "polynomial", "cosine", "cosine-restarts"}) {
    CHECK(to_string(schedule_kind(name)) == std::string(name));
    CHECK_THAT(schedule_names(), Contains(name));
  }
  CHECK_THROWS_WITH(schedule_kind("cosin"), Contains("known: constant, step"));
}

}  // namespace
