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
  if (name == "loss") return Direction::min;
  constexpr std::array<std::string_view, 5> kMore{"accuracy", "auc", "precision", "recall", "f1"};
  if (std::find(kMore.begin(), kMore.end(), name) != kMore.end() || is_top_k(name)) {
    return Direction::max;
  }
  throw UsageError(concat("cannot tell whether more or less of '", monitor,
                          "' is better; known: loss, accuracy, auc, precision, recall, f1, top5, "
                          "each with or without val_; or say min or max"));
}

bool improved(double value, std::optional<double> best, Direction direction, double min_delta) {
  MILLRACE_CHECK(direction != Direction::automatic, "a direction is min or max by now");
  if (!best) return true;
  const double delta = std::abs(min_delta);
  const auto reference = static_cast<float>(*best);
  return direction == Direction::min ? static_cast<float>(value + delta) < reference
                                     : static_cast<float>(value - delta) > reference;
}

}  // namespace millrace::nn
