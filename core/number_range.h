#pragma once
// Ranges of numbers, for options of the command line, of update rules and of augmentations, which
// refuse all others.

#include <limits>
#include <string>

namespace millrace {

/// Finite, and between its ends. The text is for messages: "1 or more", "in [0, 1)".
struct NumberRange {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
  bool is_open_below = false, is_open_above = false;
  const char* unit = "";  ///< "degrees", for messages

  [[nodiscard]] bool contains(double value) const noexcept;
  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool is_bounded() const noexcept;

  friend constexpr bool operator==(const NumberRange& a, const NumberRange& b) noexcept {
    return a.least == b.least && a.most == b.most && a.is_open_below == b.is_open_below &&
           a.is_open_above == b.is_open_above;
  }
};

[[nodiscard]] constexpr NumberRange at_least(double least) noexcept {
  return {.least = least};
}
[[nodiscard]] constexpr NumberRange above(double bound) noexcept {
  return {.least = bound, .is_open_below = true};
}
[[nodiscard]] constexpr NumberRange within(double least, double most,
                                           const char* unit = "") noexcept {
  return {.least = least, .most = most, .unit = unit};
}
/// [least, bound).
[[nodiscard]] constexpr NumberRange from_up_to(double least, double bound) noexcept {
  return {.least = least, .most = bound, .is_open_above = true};
}
/// Neither of them.
[[nodiscard]] constexpr NumberRange between(double low, double high) noexcept {
  return {.least = low, .most = high, .is_open_below = true, .is_open_above = true};
}

}  // namespace millrace
