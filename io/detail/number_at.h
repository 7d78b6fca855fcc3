#pragma once
// Reads numbers from the bytes of a file, in either byte order.

#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace::detail {

/// The number in `size` bytes, at most 8. Requires: they are there. Thread-safe.
[[nodiscard]] inline std::uint64_t number_at(std::span<const std::byte> bytes, std::uint64_t at,
                                             std::size_t size, bool is_big_endian = true) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t place = is_big_endian ? i : size - 1 - i;
    value =
        value << 8 | std::to_integer<std::uint64_t>(bytes[static_cast<std::size_t>(at) + place]);
  }
  return value;
}

}  // namespace millrace::detail
