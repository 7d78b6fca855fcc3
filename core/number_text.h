#pragma once
// Numbers in a readable form.

#include <cstdint>
#include <string>

namespace millrace {

/// "1,234,567".
[[nodiscard]] std::string with_commas(std::uint64_t number);
/// "12.35": this many digits after the point.
[[nodiscard]] std::string fixed(double value, int digits);
/// "12.3 s", "4 min 05 s", "2 h 03 min".
[[nodiscard]] std::string duration_text(double seconds);
/// The same of a time that is estimated, without tenths: "42 s", "4 min 05 s", "2 h 03 min",
/// "3 d 04 h".
[[nodiscard]] std::string time_left_text(double seconds);

}  // namespace millrace
