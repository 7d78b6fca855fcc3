#pragma once
// Reads and checks the headers, masks and palette of a BMP file. The rules are Pillow's: files that
// it refuses or reads otherwise than the format says are refused.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace millrace::detail {

enum class BmpCoding : std::uint8_t {
  indexed,    ///< 1, 4 or 8 bits a pixel that name colours of the palette
  rle4,       ///< runs of colours' numbers, of 4 bits
  rle8,       ///< of 8 bits
  packed555,  ///< 16 bits a pixel
  packed565,
  bytes,  ///< a byte a sample, 3 or 4 a pixel
};

struct BmpHeader {
  int height = 0;
  int width = 0;
  int bits = 0;  ///< a pixel
  bool is_top_down = false;
  BmpCoding coding = BmpCoding::bytes;
  bool is_grey = false;             ///< all colours of the palette are
  std::size_t pixels_at = 0;        ///< where in the file
  std::array<std::uint8_t, 3> rgb;  ///< bytes: which byte of a pixel is red, green and blue
  std::optional<std::uint8_t> alpha = std::nullopt;  ///< and which is alpha, where there is one
  /// Indexed and runs: red, green and blue of each number; black for those beyond the palette.
  std::array<std::array<std::uint8_t, 3>, 256> palette;
};

/// Reads no pixels, and does not need them to be there. Throws Error without the file's name.
[[nodiscard]] BmpHeader read_bmp_header(std::span<const std::byte> file);

/// Throws the Error for a kind of BMP file that is not read: `what` follows "a BMP file".
[[noreturn]] void refuse_bmp(const char* what);

/// Whether the file begins as a BMP file does, and not only with its two letters.
[[nodiscard]] bool is_bmp(std::span<const std::byte> file) noexcept;

}  // namespace millrace::detail
