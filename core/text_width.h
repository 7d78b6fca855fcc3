#pragma once
// How wide text is on a terminal: characters of Chinese, Japanese and Korean and most emoji take
// two columns, marks that join the character before them none.

#include <string>
#include <string_view>

namespace millrace {

/// Columns of text that shown() has made fit for a terminal. What the system's tables do not know
/// is taken for wide, so that a line that must not wrap does not.
[[nodiscard]] int text_columns(std::string_view text);

/// The text, or where it has more columns than that, its beginning, "..." and its end, cut between
/// characters. `tail` is the share of what stays that is the end: 0 to 1.
[[nodiscard]] std::string shortened(std::string_view text, int columns, double tail = 0);

}  // namespace millrace
