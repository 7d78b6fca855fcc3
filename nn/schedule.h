#pragma once
// The learning rate as a function of the step: the schedules of Keras and PyTorch in their own
// formulas, each after an optional linear warm-up. Pure functions; training calls them once a
// step.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::nn {

/// With s counted from the end of the warm-up, D = decay_steps, r = decay_rate, e = end_factor:
///   constant         base
///   step             base r^floor(s / D)                     torch StepLR
///   piecewise        base times the factor of the milestones that s has reached: factors[i], or
///                    r^(how many) without factors. Torch's MultiStepLR; Keras's
///                    PiecewiseConstantDecay changes one step later (its boundary is inclusive)
///   exponential      base r^(s / D)                          Keras ExponentialDecay
///   inverse_time     base / (1 + r s / D)                    Keras InverseTimeDecay
///   polynomial       base ((1 - e) (1 - min(s, D) / D)^power + e)
///                    Keras PolynomialDecay (with `cycle` too), torch PolynomialLR
///   cosine           base ((1 - e) (1 + cos(pi min(s, D) / D)) / 2 + e)
///                    Keras CosineDecay, torch CosineAnnealingLR (which rises again after D)
///   cosine_restarts  the same again and again: each period restart_growth times as long as the one
///                    before, from restart_factor times its height    Keras CosineDecayRestarts
/// `staircase` rounds s / D of exponential and inverse_time down.
enum class ScheduleKind {
  constant,
  step,
  piecewise,
  exponential,
  inverse_time,
  polynomial,
  cosine,
  cosine_restarts
};

struct ScheduleOptions {
  ScheduleKind kind = ScheduleKind::constant;
  std::uint64_t decay_steps = 0;  ///< needed by all but constant and piecewise
  double decay_rate = 0.1;
  double end_factor = 0;  ///< Keras's alpha; its PolynomialDecay's end_learning_rate / base
  double power = 1;
  bool staircase = false;
  bool cycle = false;                       ///< polynomial: D grows to the next multiple of itself
  std::vector<std::uint64_t> milestones{};  ///< piecewise: steps, ascending
  std::vector<double> factors{};            ///< piecewise: of the base, one a milestone, or empty
  double restart_growth = 2, restart_factor = 1;
  /// The first steps: base (warmup_from + (1 - warmup_from) s / warmup_steps), Keras's CosineDecay
  /// with a warm-up and torch's LinearLR; the schedule begins after them.
  std::uint64_t warmup_steps = 0;
  double warmup_from = 0;
};

/// "cosine", "inverse-time", ...: the command line's words. Throws UsageError that lists them.
[[nodiscard]] ScheduleKind schedule_kind(std::string_view name);
[[nodiscard]] const char* to_string(ScheduleKind kind) noexcept;
/// "constant, step, ...".
[[nodiscard]] std::string schedule_names();

/// Throws UsageError that names the first option out of its range.
void validate(const ScheduleOptions& options);

/// The rate of a step, counted from 0 (Keras's `iterations` before their increment; PyTorch's calls
/// of scheduler.step()). Requires options that validate() accepts.
[[nodiscard]] double learning_rate(const ScheduleOptions& options, double base, std::uint64_t step);

}  // namespace millrace::nn
