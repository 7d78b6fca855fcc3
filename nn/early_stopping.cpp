#include <millrace/nn/early_stopping.h>

#include <millrace/core/error.h>

#include <cmath>

namespace millrace::nn {

void validate(const EarlyStoppingOptions& options) {
  if (options.direction == Direction::automatic) {
    throw UsageError("direction: expected min or max; direction_of() knows which");
  }
  if (!std::isfinite(options.min_delta)) {
    throw UsageError(concat("min_delta: expected a finite number, not ", options.min_delta));
  }
}

EarlyStopping::EarlyStopping(const EarlyStoppingOptions& options) : options_(options) {
  validate(options);
}

// The order of these lines is Keras's, and it shows: wait counts before the comparison, and an
// improvement that does not beat the baseline is kept but does not reset it.
EarlyStopping::Decision EarlyStopping::update(std::uint32_t epoch, double value) {
  if (epoch < options_.start_from_epoch) return {};
  const auto is_better_than = [&](std::optional<double> reference) {
    return improved(value, reference, options_.direction, options_.min_delta);
  };
  ++state_.wait;
  if (is_better_than(state_.best)) {
    state_.best = value;
    state_.best_epoch = epoch;
    if (!options_.baseline || is_better_than(options_.baseline)) state_.wait = 0;
    return {.improved = true, .stop = false};
  }
  return {.improved = false, .stop = state_.wait >= options_.patience && epoch > 0};
}

}  // namespace millrace::nn
