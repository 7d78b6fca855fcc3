#include <millrace/core/number_text.h>

#include <array>
#include <cstdio>
#include <iomanip>
#include <sstream>
#include <utility>

namespace millrace {

std::string with_commas(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, 1, ',');
  return text;
}

std::string fixed(double value, int digits) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value;
  return std::move(text).str();
}

namespace {

/// "4 min 05 s" or "2 h 03 min".
std::string in_units(long seconds) {
  const auto text = [](const char* pattern, long large, long small) {
    std::array<char, 64> result{};
    std::snprintf(result.data(), result.size(), pattern, large, small);
    return std::string(result.data());
  };
  if (seconds < 3600) return text("%ld min %02ld s", seconds / 60, seconds % 60);
  return text("%ld h %02ld min", seconds / 3600, seconds / 60 % 60);
}

}  // namespace

std::string duration_text(double seconds) {
  if (seconds < 100) return fixed(seconds, 1) + " s";
  return in_units(static_cast<long>(seconds + 0.5));
}

std::string time_left_text(double seconds) {
  constexpr long kMinute = 60, kDay = 86'400, kMost = 1000 * kDay;
  if (!(seconds < kMost)) return "1,000 d";
  const long whole = static_cast<long>(seconds + 0.5);
  if (whole < kMinute) return std::to_string(whole) + " s";
  if (whole < kDay) return in_units(whole);
  const long hours = whole % kDay / 3600;
  return std::to_string(whole / kDay) + " d " + (hours < 10 ? "0" : "") + std::to_string(hours) +
         " h";
}

}  // namespace millrace
