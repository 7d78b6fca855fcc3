#pragma once
// Small letters for the capitals of ASCII, whatever the locale; other bytes do not change.

#include <string>
#include <string_view>

namespace millrace {

[[nodiscard]] constexpr char lower_case(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

[[nodiscard]] inline std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = lower_case(c);
  return result;
}

}  // namespace millrace
