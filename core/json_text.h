#pragma once
// Just enough to write JSON by hand: reports and traces are written as text, never read back.

#include <string>
#include <string_view>

namespace millrace {

/// The text as a JSON string, quotes included: control characters, quotes and backslashes escaped.
/// Bytes that are not UTF-8 become U+FFFD, so that any file name gives valid JSON.
[[nodiscard]] std::string json_quoted(std::string_view text);

/// A number as JSON knows it: the shortest text that reads back equal; "null" for NaN and
/// infinities.
[[nodiscard]] std::string json_number(double value);

}  // namespace millrace
