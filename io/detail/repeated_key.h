#pragma once
// Keys that a JSON text has twice. Parsers keep the last of two, formats forbid them.

#include <optional>
#include <string>
#include <string_view>

namespace millrace::detail {

/// A key that one object of the text has twice; nothing if there is none, or after the first
/// fault of a text that is not JSON. In time that is nearly linear in the length of the text, which
/// the parser with a callback is not: that goes through all members of an object for each of them.
[[nodiscard]] std::optional<std::string> repeated_key(std::string_view json);

}  // namespace millrace::detail
