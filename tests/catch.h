#pragma once
// The one place that knows which Catch2 is installed: version 2 (Debian 12) or 3.

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;

namespace Catch {
// Version 2 has these here too.
using Matchers::EndsWith;
using Matchers::StartsWith;
/// Version 2's name; 3 has one for texts and keeps this for ranges, in Matchers.
inline auto Contains(const std::string& part) {
  return Matchers::ContainsSubstring(part);
}
}  // namespace Catch
#else
#include <catch2/catch.hpp>
#endif
