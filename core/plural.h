#pragma once
// The word that follows a number in a message.

#include <concepts>
#include <string>
#include <string_view>

namespace millrace {

/// concat(n, ' ', plural(n, "step")) is "1 step" or "2 steps"; words that do not just take an s say
/// how they are: plural(n, "class", "classes").
template <std::integral Count>
[[nodiscard]] std::string plural(Count count, std::string_view one, std::string_view many = {}) {
  if (count == 1) return std::string(one);
  return many.empty() ? std::string(one) + 's' : std::string(many);
}

}  // namespace millrace
