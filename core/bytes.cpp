#include <millrace/core/bytes.h>

#include <millrace/core/error.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ostream>

namespace millrace {
namespace {

struct Unit {
  std::string_view name;
  double bytes;
};

constexpr std::array<Unit, 14> kUnits = {{{"", 1},
                                          {"B", 1},
                                          {"K", 0x1p10},
                                          {"KiB", 0x1p10},
                                          {"KB", 1e3},
                                          {"kB", 1e3},
                                          {"M", 0x1p20},
                                          {"MiB", 0x1p20},
                                          {"MB", 1e6},
                                          {"G", 0x1p30},
                                          {"GiB", 0x1p30},
                                          {"GB", 1e9},
                                          {"T", 0x1p40},
                                          {"TiB", 0x1p40}}};

}  // namespace

std::string to_string(Bytes bytes) {
  constexpr std::array<const char*, 5> kNames = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes.count);
  std::size_t unit = 0;
  double rounded = value;  // compared, not value: 1023.97 KiB would print as 1024 KiB
  while (rounded >= 1024.0 && unit + 1 < kNames.size()) {
    value /= 1024.0;
    rounded = std::round(value * 10.0) / 10.0;
    ++unit;
  }
  std::array<char, 32> text{};
  const bool is_whole = rounded == std::floor(rounded);
  std::snprintf(text.data(), text.size(), is_whole ? "%.0f %s" : "%.1f %s", rounded, kNames[unit]);
  return text.data();
}

std::ostream& operator<<(std::ostream& out, Bytes bytes) {
  return out << to_string(bytes);
}

Bytes parse_bytes(std::string_view text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  std::string_view name(rest, static_cast<std::size_t>(end - rest));
  while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
  if (error == std::errc{} && std::isfinite(number) && number >= 0) {
    for (const Unit& unit : kUnits) {
      const double bytes = number * unit.bytes;
      if (name == unit.name && bytes < 0x1p63) return {static_cast<std::uint64_t>(bytes)};
    }
  }
  throw UsageError(concat("'", text, "' is not a size; write it as 512MiB, 1.5GiB or 2G"));
}

}  // namespace millrace
