#pragma once
// Commands that are printed for a user to paste into a shell.

#include <string>
#include <string_view>

namespace millrace {

/// One word of a shell's command line: as it is where no shell sees more in it, else in quotes.
/// With control characters, or bytes that are not UTF-8, as $'a\nb', of which bash, zsh and ksh
/// make the same name: on a terminal the result is safe, and shown() leaves it as it is.
[[nodiscard]] std::string shell_quoted(std::string_view word);

}  // namespace millrace
