#pragma once
// Makes text from outside, mostly names of files, safe for a terminal: a name can hold
// anything but a zero byte and a slash, including codes that move the cursor or end the line.

#include <cstddef>
#include <string>
#include <string_view>

namespace millrace {

/// Length of the well-formed UTF-8 sequence at the front of `text`, or 0. Requires: not empty.
[[nodiscard]] std::size_t utf8_length(std::string_view text);

/// The code point of such a sequence.
[[nodiscard]] char32_t code_point(std::string_view sequence);

/// On one readable line: control characters as \t, \n, \r, \e or \x07, those of Unicode, which
/// also turn the direction of writing, as \u202e, and bytes that are not UTF-8 as \xe9. All else
/// stays as it is, backslashes too.
[[nodiscard]] std::string shown(std::string_view text);

/// UTF-8 for what must be that: bytes that are not become \xe9, all else stays as it is.
[[nodiscard]] std::string as_utf8(std::string_view text);

}  // namespace millrace
