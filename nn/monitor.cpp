#include <millrace/nn/monitor.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace millrace::nn {
namespace {

constexpr std::array<const char*, 3> kDirections{"auto", "min", "max"};

/// "top5", "top10".
bool is_top_k(std::string_view name) {
  if (!name.starts_with("top") || name.size() == 3) return false;
  name.remove_prefix(3);
  return std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

void require(bool holds, const char* option, const char* range, double value) {
  if (!holds) throw UsageError(concat(option, ": expected ", range, ", not ", value));
}

void require_direction(Direction direction) {
  if (direction != Direction::automatic) return;
  throw UsageError("direction: expected min or max; direction_of() knows which");
}

}  // namespace

Direction direction_named(std::string_view name) {
  for (std::size_t i = 0; i < kDirections.size(); ++i) {
    if (name == kDirections[i]) return static_cast<Direction>(i);
  }
  throw UsageError(concat("unknown direction '", name, "'; known: auto, min, max"));
}

const char* to_string(Direction direction) noexcept {
  return kDirections[static_cast<std::size_t>(direction)];
}

Direction direction_of(std::string_view monitor) {
  std::string_view name = monitor;
  if (name.starts_with("val_")) name.remove_prefix(4);
  name = name.substr(0, name.find(' '));  // of a target
  if (name == "loss" || name == "mse" || name == "mae") return Direction::min;
  constexpr std::array<std::string_view, 7> kMore{"accuracy", "auc", "precision",      "recall",
                                                  "f1",       "r2",  "binary_accuracy"};
  if (std::find(kMore.begin(), kMore.end(), name) != kMore.end() || is_top_k(name)) {
    return Direction::max;
  }
  throw UsageError(
      concat("cannot tell whether more or less of '", monitor,
             "' is better; known: loss, accuracy, auc, precision, recall, f1, top5, "
             "mse, mae, r2, binary_accuracy, each with or without val_; or say min or max"));
}

bool improved(double value, std::optional<double> best, Direction direction, double min_delta) {
  MILLRACE_CHECK(direction != Direction::automatic, "a direction is min or max by now");
  if (!best) return true;
  const double delta = std::abs(min_delta);
  const auto reference = static_cast<float>(*best);
  return direction == Direction::min ? static_cast<float>(value + delta) < reference
                                     : static_cast<float>(value - delta) > reference;
}

void validate(const EarlyStoppingOptions& options) {
  require_direction(options.direction);
  require(std::isfinite(options.min_delta), "min_delta", "a finite number", options.min_delta);
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

void validate(const ReduceOnPlateauOptions& options) {
  require_direction(options.direction);
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
