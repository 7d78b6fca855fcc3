#include "apps/number_text.h"

#include <array>
#include <cstdio>
#include <iomanip>
#include <sstream>
#include <utility>

namespace millrace::apps {

std::string fixed(double value, int digits) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value;
  return std::move(text).str();
}

std::string duration_text(double seconds) {
  if (seconds < 100) return fixed(seconds, 1) + " s";
  const long whole = static_cast<long>(seconds + 0.5);
  const auto text = [](const char* pattern, long large, long small) {
    std::array<char, 64> result{};
    std::snprintf(result.data(), result.size(), pattern, large, small);
    return std::string(result.data());
  };
  if (whole < 3600) return text("%ld min %02ld s", whole / 60, whole % 60);
  return text("%ld h %02ld min", whole / 3600, whole / 60 % 60);
}

}  // namespace millrace::apps
