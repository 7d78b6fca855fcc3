#pragma once
// Large numbers as people read them.

#include <cstdint>
#include <string>

namespace millrace {

/// "1,234,567".
[[nodiscard]] inline std::string with_commas(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, 1, ',');
  return text;
}

}  // namespace millrace
