#pragma once
// Options of `millrace train` about a step itself: the learning rate over time, and what happens to
// labels and gradients.

#include "apps/command_line.h"

#include <millrace/nn/gradient.h>
#include <millrace/nn/schedule.h>

#include <cstdint>
#include <optional>
#include <string>

namespace millrace::apps {

struct ScheduleOptions {
  std::string schedule = "constant";
  std::optional<std::int64_t> decay_steps;
  std::optional<double> decay_rate;
  std::string milestones, milestone_factors;
  double end_factor = 0, power = 1;
  bool staircase = false, cycle = false;
  double restart_growth = 2, restart_factor = 1;
  std::uint64_t warmup_steps = 0;
  double warmup_from = 0;
  double label_smoothing = 0;
  double l2 = 0, clip_value = 0, clip_norm = 0, clip_global_norm = 0;
};

void declare(CommandLine& line, ScheduleOptions& options);
/// Throws UsageError for values out of range, naming the option.
void check(const ScheduleOptions& options);

/// Fills in --decay-steps, once the steps of the run are known: all that follow the warm-up. Throws
/// UsageError where the schedule would end before it begins, or is over before it changes anything.
void choose(ScheduleOptions& options, std::uint64_t run_steps);

/// Require: check() and choose().
[[nodiscard]] nn::ScheduleOptions schedule_of(const ScheduleOptions& options);
[[nodiscard]] nn::GradientOptions gradient_of(const ScheduleOptions& options);

/// ", cosine over 9,380 steps, L2 0.0001": what is not as it would be without options.
[[nodiscard]] std::string describe(const ScheduleOptions& options);

}  // namespace millrace::apps
