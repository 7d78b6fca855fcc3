#pragma once
// Conversions between binary32 and the 16-bit formats, rounding to nearest even, for host code that
// must agree with a device to the bit.

#include <cstdint>

namespace millrace {

[[nodiscard]] std::uint16_t f16_from_float(float value) noexcept;  ///< IEEE binary16
[[nodiscard]] float float_from_f16(std::uint16_t bits) noexcept;
[[nodiscard]] std::uint16_t bf16_from_float(float value) noexcept;
[[nodiscard]] float float_from_bf16(std::uint16_t bits) noexcept;

}  // namespace millrace
