#include <millrace/nn/reduce_on_plateau.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <cmath>

namespace millrace::nn {

void validate(const ReduceOnPlateauOptions& options) {
  if (options.direction == Direction::automatic) {
    throw UsageError("direction: expected min or max; direction_of() knows which");
  }
  const auto require = [](bool holds, const char* option, const char* range, double value) {
    if (!holds) throw UsageError(concat(option, ": expected ", range, ", not ", value));
  };
  require(options.factor > 0 && options.factor < 1, "factor", "0 < factor < 1", options.factor);
  require(std::isfinite(options.min_delta), "min_delta", "a finite number", options.min_delta);
  require(options.min_rate >= 0 && std::isfinite(options.min_rate), "min_rate", "0 or more",
          options.min_rate);
}

ReduceOnPlateau::ReduceOnPlateau(const ReduceOnPlateauOptions& options) : options_(options) {
  validate(options);
}

// Keras keeps the rate and compares it with its least value in float32, or a rate that has been
// lowered to it would be lowered again for the sake of its last digits.
double ReduceOnPlateau::update(double value, double rate) {
  if (state_.cooldown > 0) {
    --state_.cooldown;
    state_.wait = 0;
  }
  if (improved(value, state_.best, options_.direction, options_.min_delta)) {
    state_.best = value;
    state_.wait = 0;
    return rate;
  }
  if (state_.cooldown > 0) return rate;
  ++state_.wait;
  const bool can_fall = static_cast<float>(rate) > static_cast<float>(options_.min_rate);
  if (state_.wait < options_.patience || !can_fall) return rate;
  state_.cooldown = options_.cooldown;
  state_.wait = 0;
  return std::max(rate * options_.factor, options_.min_rate);
}

}  // namespace millrace::nn
