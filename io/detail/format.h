#pragma once
// The format of an image file, found from its first bytes; names of files are not trusted.

#include <millrace/core/error.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace::detail {

enum class Format : std::uint8_t { jpeg, png, bmp, gif, pnm, psd, tga, tiff, webp };

[[nodiscard]] const char* to_string(Format format) noexcept;  ///< "JPEG"

/// A format that is known but not read; the text says what converts it.
class ForeignFormat : public Error {
 public:
  /// `article` is that of the format's name: "an ".
  ForeignFormat(const char* article, const char* format, const char* converter)
      : Error(concat(article, format, " file, which is not read; convert it with ", converter)),
        format_(format),
        converter_(converter) {}
  [[nodiscard]] const char* format() const noexcept { return format_; }        ///< "HEIC"
  [[nodiscard]] const char* converter() const noexcept { return converter_; }  ///< a command

 private:
  const char* format_;
  const char* converter_;
};

/// Throws Error, without the file's name, for an empty file, ForeignFormat, and Error for anything
/// else that is not read.
[[nodiscard]] Format sniff(std::span<const std::byte> file);

}  // namespace millrace::detail
