#include <millrace/nn/schedule.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

namespace millrace::nn {
namespace {

constexpr std::array<std::pair<ScheduleKind, const char*>, 8> kNames{{
    {ScheduleKind::constant, "constant"},
    {ScheduleKind::step, "step"},
    {ScheduleKind::piecewise, "piecewise"},
    {ScheduleKind::exponential, "exponential"},
    {ScheduleKind::inverse_time, "inverse-time"},
    {ScheduleKind::polynomial, "polynomial"},
    {ScheduleKind::cosine, "cosine"},
    {ScheduleKind::cosine_restarts, "cosine-restarts"},
}};

/// Half a wave from 1 to 0 over x in [0, 1], lifted to end at `end`.
double half_cosine(double x, double height, double end) {
  return (1 - end) * 0.5 * height * (1 + std::cos(std::numbers::pi * x)) + end;
}

double piecewise(const ScheduleOptions& o, std::uint64_t step) {
  const auto passed = std::upper_bound(o.milestones.begin(), o.milestones.end(), step);
  const auto count = static_cast<std::size_t>(passed - o.milestones.begin());
  if (count == 0) return 1;
  return o.factors.empty() ? std::pow(o.decay_rate, static_cast<double>(count))
                           : o.factors[count - 1];
}

double polynomial(const ScheduleOptions& o, double step) {
  auto steps = static_cast<double>(o.decay_steps);
  if (o.cycle) steps *= std::max(1.0, std::ceil(step / steps));
  const double rest = 1 - std::min(step, steps) / steps;
  return (1 - o.end_factor) * std::pow(rest, o.power) + o.end_factor;
}

double cosine_restarts(const ScheduleOptions& o, double step) {
  auto length = static_cast<double>(o.decay_steps);
  double restarts = 0;
  if (o.restart_growth == 1) {
    restarts = std::floor(step / length);
    step -= restarts * length;
  } else {
    for (; step >= length; ++restarts) {
      step -= length;
      length *= o.restart_growth;
    }
  }
  return half_cosine(step / length, std::pow(o.restart_factor, restarts), o.end_factor);
}

/// Without warm-up, as a factor of the base.
double factor(const ScheduleOptions& o, std::uint64_t step) {
  const auto s = static_cast<double>(step);
  const double periods = o.decay_steps == 0 ? 0 : s / static_cast<double>(o.decay_steps);
  const double elapsed = o.staircase ? std::floor(periods) : periods;
  switch (o.kind) {
    case ScheduleKind::constant: return 1;
    case ScheduleKind::step: return std::pow(o.decay_rate, std::floor(periods));
    case ScheduleKind::piecewise: return piecewise(o, step);
    case ScheduleKind::exponential: return std::pow(o.decay_rate, elapsed);
    case ScheduleKind::inverse_time: return 1 / (1 + o.decay_rate * elapsed);
    case ScheduleKind::polynomial: return polynomial(o, s);
    case ScheduleKind::cosine: return half_cosine(std::min(periods, 1.0), 1, o.end_factor);
    case ScheduleKind::cosine_restarts: return cosine_restarts(o, s);
  }
  return 1;
}

void validate_milestones(const ScheduleOptions& o) {
  if (o.milestones.empty()) throw UsageError("milestones: piecewise needs at least one step");
  if (!std::is_sorted(o.milestones.begin(), o.milestones.end())) {
    throw UsageError("milestones: expected steps in ascending order");
  }
  if (!o.factors.empty() && o.factors.size() != o.milestones.size()) {
    throw UsageError(concat("factors: expected none or one for each of the ", o.milestones.size(),
                            " milestones, not ", o.factors.size()));
  }
  for (const double f : o.factors) {
    if (!(f >= 0 && std::isfinite(f))) {
      throw UsageError(concat("factors: expected 0 or more, not ", f));
    }
  }
}

}  // namespace

ScheduleKind schedule_kind(std::string_view name) {
  for (const auto& [kind, known] : kNames) {
    if (name == known) return kind;
  }
  throw UsageError(concat("unknown schedule '", name, "'; known: ", schedule_names()));
}

const char* to_string(ScheduleKind kind) noexcept {
  for (const auto& [known, name] : kNames) {
    if (kind == known) return name;
  }
  return "?";
}

std::string schedule_names() {
  std::string names;
  for (const auto& [kind, name] : kNames) names += concat(names.empty() ? "" : ", ", name);
  return names;
}

void validate(const ScheduleOptions& o) {
  const auto require = [](bool holds, const char* option, const char* range, double value) {
    if (!holds) throw UsageError(concat(option, ": expected ", range, ", not ", value));
  };
  const bool has_period = o.kind != ScheduleKind::constant && o.kind != ScheduleKind::piecewise;
  require(!has_period || o.decay_steps > 0, "decay_steps", "1 or more",
          static_cast<double>(o.decay_steps));
  require(o.decay_rate > 0 && std::isfinite(o.decay_rate), "decay_rate", "a number above 0",
          o.decay_rate);
  require(o.end_factor >= 0 && std::isfinite(o.end_factor), "end_factor", "0 or more",
          o.end_factor);
  require(o.power > 0 && std::isfinite(o.power), "power", "a number above 0", o.power);
  require(o.restart_growth >= 1 && std::isfinite(o.restart_growth), "restart_growth", "1 or more",
          o.restart_growth);
  require(o.restart_factor > 0 && std::isfinite(o.restart_factor), "restart_factor",
          "a number above 0", o.restart_factor);
  require(o.warmup_from >= 0 && std::isfinite(o.warmup_from), "warmup_from", "0 or more",
          o.warmup_from);
  if (o.kind == ScheduleKind::piecewise) validate_milestones(o);
}

double learning_rate(const ScheduleOptions& options, double base, std::uint64_t step) {
  if (step >= options.warmup_steps) return base * factor(options, step - options.warmup_steps);
  const double share = static_cast<double>(step) / static_cast<double>(options.warmup_steps);
  return base * (options.warmup_from + (1 - options.warmup_from) * share);
}

}  // namespace millrace::nn
