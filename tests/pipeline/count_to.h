#pragma once
// The source of most pipelines of tests.

#include <optional>

namespace millrace::test {

/// 0, 1, ... n-1, and then no more.
inline auto count_to(int n) {
  return [n, i = 0]() mutable { return i < n ? std::optional<int>(i++) : std::nullopt; };
}

}  // namespace millrace::test
