#pragma once
// What kind of picture a file holds, told from its first bytes; names of files are not trusted.

#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace::detail {

enum class Format : std::uint8_t { jpeg, png, bmp, gif, pnm, psd, tga, tiff, webp };

[[nodiscard]] const char* to_string(Format format) noexcept;  ///< "JPEG"

/// Throws Error, without the file's name, for an empty file, a format that is known but not read
/// (the text says what converts it) and anything else.
[[nodiscard]] Format sniff(std::span<const std::byte> file);

}  // namespace millrace::detail
