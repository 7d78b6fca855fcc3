#pragma once
// Weights and images that tests and the scripts of tests/reference make by one rule, because they
// are too large to keep (tests/reference/rule.py).

#include <cstdint>
#include <string_view>

namespace millrace::test {

inline std::uint32_t mixed(std::uint32_t seed, std::uint32_t tensor, std::uint32_t element) {
  std::uint32_t x = element * 2654435761U + tensor * 2246822519U + seed * 374761393U;
  x = (x ^ (x >> 16)) * 0x7FEB352DU;
  x = (x ^ (x >> 15)) * 0x846CA68BU;
  return x ^ (x >> 16);
}

/// In [-1, 1).
inline double unit(std::uint32_t seed, std::uint32_t tensor, std::uint32_t element) {
  return mixed(seed, tensor, element) / 2147483648.0 - 1;
}

/// FNV-1a: the number of a tensor by its name.
inline std::uint32_t hash(std::string_view text) {
  std::uint32_t h = 2166136261U;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 16777619U;
  return h;
}

}  // namespace millrace::test
