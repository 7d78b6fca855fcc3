#pragma once
// The parts ("chunks") of a PNG file, checked: the order, lengths and checksums that stb_image does
// not look at.

#include <millrace/io/detail/raster.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace millrace::detail {

/// The colour types of the header.
enum PngColour : unsigned {
  kPngGrey = 0,
  kPngRgb = 2,
  kPngPalette = 3,
  kPngGreyAlpha = 4,
  kPngRgbAlpha = 6
};

struct PngHeader {
  std::uint32_t width = 0, height = 0;
  unsigned depth = 0, colour = 0;
};

constexpr std::size_t kPngAroundData = 12;  ///< length, type and checksum of a part
constexpr std::size_t kPngColourAt = 25;    ///< the header's colour type, in the file
constexpr std::size_t kPngBehindHeader = 33;

/// What is needed of a file, all of whose checksums are right. Points into the file.
struct PngContents {
  PngHeader header;
  std::span<const std::byte> palette;
  std::span<const std::byte> pixels;  ///< the parts IDAT, one after the other, as in the file
  bool is_plain = true;  ///< has nothing that stb_image reads in another way than Pillow
  Transparency wanted = Transparency::dropped;
  /// The part tRNS: alpha of the palette's colours, or the one colour that is transparent; none
  /// where it is not wanted.
  std::optional<std::span<const std::byte>> transparency;
};

/// All of these throw Error without the file's name (damaged, ends early, not supported).
[[nodiscard]] PngHeader read_png_header(std::span<const std::byte> file);

/// Whether a part tRNS with a meaning stands in front of the pixels, as far as which it looks.
[[nodiscard]] bool has_png_transparency(std::span<const std::byte> file, const PngHeader& header);

[[nodiscard]] PngContents read_png_contents(std::span<const std::byte> file, Transparency wanted);

}  // namespace millrace::detail
