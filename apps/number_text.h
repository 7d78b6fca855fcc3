#pragma once
// Numbers as people read them.

#include <millrace/core/with_commas.h>

#include <string>

namespace millrace::apps {

/// "12.35": so many digits after the point.
[[nodiscard]] std::string fixed(double value, int digits);
/// "12.3 s", "4 min 05 s", "2 h 03 min".
[[nodiscard]] std::string duration_text(double seconds);

}  // namespace millrace::apps
