#include "apps/schedule_options.h"

#include "apps/lists.h"

#include "apps/number_text.h"

#include <millrace/core/error.h>
#include <millrace/core/plural.h>

#include <charconv>
#include <cmath>
#include <vector>

namespace millrace::apps {
namespace {

using nn::ScheduleKind;

bool has_period(ScheduleKind kind) {
  return kind != ScheduleKind::constant && kind != ScheduleKind::piecewise;
}

/// Schedules that change once a period: of the whole run they would make a constant one.
bool repeats(ScheduleKind kind) {
  return kind == ScheduleKind::step || kind == ScheduleKind::cosine_restarts;
}

ScheduleKind kind_of(const ScheduleOptions& o) {
  try {
    return nn::schedule_kind(o.schedule);
  } catch (const UsageError& error) {
    throw UsageError(concat("train: --schedule: ", error.what()));
  }
}

void check_kind(const ScheduleOptions& o) {
  const ScheduleKind kind = kind_of(o);
  const auto refuse_unless = [&](bool fits, bool is_given, const char* option,
                                 const char* fitting) {
    if (is_given && !fits) {
      throw UsageError(
          concat("train: --", option, " belongs to --schedule ", fitting, ", not ", o.schedule));
    }
  };
  const bool is_piecewise = kind == ScheduleKind::piecewise;
  refuse_unless(has_period(kind), o.decay_steps.has_value(), "decay-steps", "with a period");
  refuse_unless(is_piecewise, !o.milestones.empty(), "milestones", "piecewise");
  refuse_unless(is_piecewise, !o.milestone_factors.empty(), "milestone-factors", "piecewise");
  if (is_piecewise && o.milestones.empty()) {
    throw UsageError("train: --schedule piecewise needs --milestones, for example 1000,2000");
  }
  if (repeats(kind) && !o.decay_steps) {
    throw UsageError(concat("train: --schedule ", o.schedule, " needs --decay-steps"));
  }
}

}  // namespace

void declare(CommandLine& line, ScheduleOptions& o) {
  line.topic("schedule", "Learning rate over time");
  line("schedule", o.schedule, "NAME",
       "constant (default), step, piecewise, exponential, inverse-time, polynomial, cosine, "
       "cosine-restarts; 'rate' below is --learning-rate");
  line("decay-steps", o.decay_steps, "N",
       "steps of the schedule, or of one period of it; default: all steps of the run");
  line("decay-rate", o.decay_rate, "X",
       "what the rate is multiplied by each period (inverse-time: divided by 1 + X); default 0.1");
  line("milestones", o.milestones, "N,N,...", "piecewise: steps at which the rate changes");
  line("milestone-factors", o.milestone_factors, "X,X,...",
       "piecewise: the rate is multiplied by these; default: by --decay-rate at each");
  line("end-factor", o.end_factor, "X",
       "polynomial, cosine: ends at this part of the rate; default 0");
  line("power", o.power, "X", "of polynomial; default 1");
  line("staircase", o.staircase, "", "exponential, inverse-time: change once a period only");
  line("cycle", o.cycle, "", "polynomial: rise again after each period");
  line("restart-growth", o.restart_growth, "X",
       "cosine-restarts: each period is so many times as long as the last; default 2");
  line("restart-factor", o.restart_factor, "X",
       "cosine-restarts: each begins at so much of the last one's rate; default 1");
  line("warmup-steps", o.warmup_steps, "N",
       "before the schedule, the rate rises on a line for so many steps; default 0");
  line("warmup-from", o.warmup_from, "X", "from this part of the rate; default 0");
  line.topic("regularisation", "Labels, loss and gradients");
  line("label-smoothing", o.label_smoothing, "X",
       "share of a label that is spread over all classes, in val_loss too; default 0");
  line("l2", o.l2, "X",
       "X times the squares of all kernels is part of the loss, in val_loss too; default 0");
  line("clip-value", o.clip_value, "X", "cut each gradient's elements to [-X, X]; default 0: not");
  line("clip-norm", o.clip_norm, "X", "shorten the gradient of each parameter to this norm");
  line("clip-global-norm", o.clip_global_norm, "X", "shorten all gradients together to this norm");
}

void check(const ScheduleOptions& o) {
  const auto require = [](bool holds, const char* option, const char* range, double value) {
    if (!holds) throw UsageError(concat("train: --", option, " must be ", range, ", not ", value));
  };
  const auto is_positive = [](double value) { return value > 0 && std::isfinite(value); };
  const auto is_amount = [](double value) { return value >= 0 && std::isfinite(value); };
  check_kind(o);
  require(o.decay_steps.value_or(1) > 0, "decay-steps", "1 or more",
          static_cast<double>(o.decay_steps.value_or(1)));
  require(is_positive(o.decay_rate.value_or(1)), "decay-rate", "above 0", o.decay_rate.value_or(1));
  require(is_amount(o.end_factor), "end-factor", "0 or more", o.end_factor);
  require(is_positive(o.power), "power", "above 0", o.power);
  require(o.restart_growth >= 1 && std::isfinite(o.restart_growth), "restart-growth", "1 or more",
          o.restart_growth);
  require(is_positive(o.restart_factor), "restart-factor", "above 0", o.restart_factor);
  require(is_amount(o.warmup_from), "warmup-from", "0 or more", o.warmup_from);
  require(o.label_smoothing >= 0 && o.label_smoothing < 1, "label-smoothing", "in [0, 1)",
          o.label_smoothing);
  require(is_amount(o.l2), "l2", "0 or more", o.l2);
  require(is_amount(o.clip_value), "clip-value", "0 or more", o.clip_value);
  require(is_amount(o.clip_norm), "clip-norm", "0 or more", o.clip_norm);
  require(is_amount(o.clip_global_norm), "clip-global-norm", "0 or more", o.clip_global_norm);
  const auto describe_error = [](const auto& options) {
    try {
      nn::validate(options);
    } catch (const UsageError& error) {
      throw UsageError(concat("train: ", error.what()));
    }
  };
  describe_error(gradient_of(o));
  if (kind_of(o) == ScheduleKind::piecewise) describe_error(schedule_of(o));
}

void choose(ScheduleOptions& o, std::uint64_t run_steps) {
  const ScheduleKind kind = kind_of(o);
  if (o.warmup_steps > 0 && o.warmup_steps >= run_steps) {
    throw UsageError(concat("train: --warmup-steps ", o.warmup_steps, ": the run has ", run_steps,
                            ' ', plural(run_steps, "step"),
                            ", so its schedule would end before it begins"));
  }
  if (has_period(kind) && !o.decay_steps) {
    o.decay_steps = static_cast<std::int64_t>(run_steps - o.warmup_steps);
  }
}

nn::ScheduleOptions schedule_of(const ScheduleOptions& o) {
  return {.kind = kind_of(o),
          .decay_steps = static_cast<std::uint64_t>(o.decay_steps.value_or(0)),
          .decay_rate = o.decay_rate.value_or(0.1),
          .end_factor = o.end_factor,
          .power = o.power,
          .staircase = o.staircase,
          .cycle = o.cycle,
          .milestones = numbers_of<std::uint64_t>(o.milestones, "train: --milestones"),
          .factors = numbers_of<double>(o.milestone_factors, "train: --milestone-factors"),
          .restart_growth = o.restart_growth,
          .restart_factor = o.restart_factor,
          .warmup_steps = o.warmup_steps,
          .warmup_from = o.warmup_from};
}

nn::GradientOptions gradient_of(const ScheduleOptions& o) {
  return {.l2 = o.l2,
          .clip_value = o.clip_value,
          .clip_norm = o.clip_norm,
          .clip_global_norm = o.clip_global_norm};
}

std::string describe(const ScheduleOptions& o) {
  std::string text;
  if (o.schedule != "constant") text += ", " + o.schedule;
  if (o.decay_steps)
    text += concat(" over ", with_commas(static_cast<std::uint64_t>(*o.decay_steps)), ' ',
                   plural(*o.decay_steps, "step"));
  if (!o.milestones.empty()) text += concat(" at ", o.milestones);
  if (o.warmup_steps > 0)
    text += concat(", ", with_commas(o.warmup_steps), ' ', plural(o.warmup_steps, "step"),
                   " of warm-up");
  const auto add = [&](const char* name, double value) {
    if (value > 0) text += concat(", ", name, ' ', value);
  };
  add("label smoothing", o.label_smoothing);
  add("L2", o.l2);
  add("clip value", o.clip_value);
  add("clip norm", o.clip_norm);
  add("clip global norm", o.clip_global_norm);
  return text;
}

}  // namespace millrace::apps
