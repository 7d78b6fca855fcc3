#pragma once
// The layout of samples in a TIFF file, which can be nearly anything: which layouts are read, and
// how their rows become pixels of 8 bits, as in Pillow.

#include <millrace/io/detail/raster.h>

#include <array>

namespace millrace::detail {

class TiffFile;

enum class TiffColours : std::uint8_t { grey, palette, rgb, cmyk, ycc };

struct TiffLayout {
  RasterHeader header;
  TiffColours colours = TiffColours::grey;
  int bits = 8;                ///< of a sample: 1, 2, 4, 8, 12 or 16
  int samples = 1;             ///< of a pixel, as stored
  int used = 1;                ///< the first ones, which are looked at
  bool is_inverted = false;    ///< grey: 0 is white
  bool is_associated = false;  ///< colours have been multiplied by alpha
  bool has_planes = false;     ///< sample after sample instead of pixel after pixel
  std::uint16_t compression = 0;
  std::array<std::array<std::uint8_t, 3>, 256> palette{};

  /// Of a row of `count` samples a pixel, packed.
  [[nodiscard]] std::uint64_t row_bytes(int count) const noexcept;
};

/// Reads tags. Throws Error for kinds that are not read, with what converts them.
[[nodiscard]] TiffLayout read_tiff_layout(const TiffFile& file, Transparency transparency);

/// Brings samples of a row, or of a plane of it, to 8 bits and to their places in `pixels`, a row
/// of the image. `plane` is the sample that `row` has, -1: it has all. Samples of more than 8
/// bits are scaled by their maximum in grey and lose their low bits in colours, as in Pillow.
void place_samples(const TiffLayout& layout, const std::uint8_t* row, int plane,
                   std::uint8_t* pixels);

/// Once all samples of a row are in place: from those to the image's channels.
void finish_row(const TiffLayout& layout, std::uint8_t* pixels);

}  // namespace millrace::detail
