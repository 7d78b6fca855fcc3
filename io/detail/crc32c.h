#pragma once
// CRC-32C, the checksum in the framing of event files. A table suffices: no package of the
// distribution has it, and event files are small.

#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace::detail {

/// Castagnoli's polynomial, reflected (0x82F63B78); initial value and final xor all ones.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes) noexcept;

/// As event files store it, so that the checksum of data that holds checksums stays a good one:
/// rotated right by 15 bits, plus 0xA282EAD8.
[[nodiscard]] std::uint32_t masked_crc32c(std::span<const std::byte> bytes) noexcept;

}  // namespace millrace::detail
