#pragma once
// The filters of a resize, and their names.

#include <cstdint>
#include <string_view>

namespace millrace {

/// Pillow's filters. All but `nearest` widen with the scale when they shrink (no aliasing).
enum class Filter : std::uint8_t { nearest, box, bilinear, hamming, bicubic, lanczos };

[[nodiscard]] const char* to_string(Filter filter) noexcept;  ///< "bilinear"
/// Throws UsageError that lists the names.
[[nodiscard]] Filter filter_from_name(std::string_view name);

}  // namespace millrace
