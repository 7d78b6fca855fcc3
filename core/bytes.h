#pragma once
// A type for counts of bytes, so that budgets cannot be mixed up with counts of items.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

namespace millrace {

/// A count of bytes. Printed in binary units: "512 B", "73.5 MiB".
struct Bytes {
  std::uint64_t count = 0;

  constexpr auto operator<=>(const Bytes&) const = default;
  constexpr Bytes& operator+=(Bytes other) noexcept {
    count += other.count;
    return *this;
  }
  constexpr Bytes& operator-=(Bytes other) noexcept {
    count -= other.count;
    return *this;
  }
};

[[nodiscard]] constexpr Bytes operator+(Bytes a, Bytes b) noexcept {
  return {a.count + b.count};
}
[[nodiscard]] constexpr Bytes operator-(Bytes a, Bytes b) noexcept {
  return {a.count - b.count};
}
[[nodiscard]] constexpr Bytes operator*(std::uint64_t n, Bytes b) noexcept {
  return {n * b.count};
}

/// "512 B", "1.5 KiB", "73.5 MiB", "2 GiB": at most one decimal, no trailing ".0".
[[nodiscard]] std::string to_string(Bytes bytes);
std::ostream& operator<<(std::ostream& out, Bytes bytes);

/// Reads "512", "64KiB", "1.5 GiB", "2G", "100MB" (KB, MB, GB are powers of 1000; K, M, G and
/// KiB, MiB, GiB powers of 1024). Throws UsageError on anything else.
[[nodiscard]] Bytes parse_bytes(std::string_view text);

inline namespace literals {
constexpr Bytes operator""_B(unsigned long long n) noexcept {
  return {n};
}
constexpr Bytes operator""_KiB(unsigned long long n) noexcept {
  return {n << 10};
}
constexpr Bytes operator""_MiB(unsigned long long n) noexcept {
  return {n << 20};
}
constexpr Bytes operator""_GiB(unsigned long long n) noexcept {
  return {n << 30};
}
}  // namespace literals

}  // namespace millrace
