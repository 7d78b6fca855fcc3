#pragma once
// Turns images upright: the eight orientations of the EXIF standard, by which a viewer
// turns an image, exactly as Pillow's ImageOps.exif_transpose.
//
//   1 as stored   2 mirrored             3 turned by 180 degrees   4 upside down, mirrored
//   5 transposed  6 turned clockwise     7 transposed the other    8 turned anticlockwise
//                                          way (transverse)

#include <millrace/core/bytes.h>
#include <millrace/image/image.h>

#include <cstdint>
#include <vector>

namespace millrace {

/// Height and width change places: orientations 5 to 8.
[[nodiscard]] constexpr bool swaps_axes(int orientation) noexcept {
  return orientation >= 5;
}

/// A row of `width` pixels from right to left, which is all that orientation 2 does. Requires: 1 to
/// 4 channels; no overlap.
void mirror_row(const std::uint8_t* row, int width, int channels, std::uint8_t* mirrored) noexcept;

/// The rows of an image in memory as a viewer shows it, without a second copy of it: they are
/// gathered a band at a time, so that each line of the caches is read once. Memory is kept from
/// image to image.
///
/// Thread safety: one object a thread.
///
///   OrientedRows rows;
///   rows.begin(source, 6);
///   for (int y = 0; y < rows.height(); ++y) next_row(rows.row(y), rows.width());
class OrientedRows {
 public:
  /// The pixels of `source` are read until the last row is. Requires: 1 to 4 channels, orientation
  /// 1 to 8.
  void begin(ConstImageView source, int orientation);

  [[nodiscard]] int height() const noexcept { return height_; }  ///< as shown
  [[nodiscard]] int width() const noexcept { return width_; }    ///< as shown

  /// Row `y` as shown: width() pixels, valid until the next call. Rows may come in any order; from
  /// the top, or from the bottom, is cheap. Requires: 0 <= y < height().
  [[nodiscard]] const std::uint8_t* row(int y);

  /// Memory held at the moment.
  [[nodiscard]] Bytes scratch_bytes() const noexcept { return {band_.capacity()}; }
  /// Memory that an image stored as `height` x `width` pixels needs.
  [[nodiscard]] static Bytes planned_bytes(int height, int width, int channels, int orientation);

 private:
  void gather_band(int first);

  ConstImageView source_;
  int orientation_ = 1;
  int height_ = 0;
  int width_ = 0;
  int band_rows_ = 0;
  int band_first_ = -1;  // the row that the band begins with, -1: none is in it
  std::vector<std::uint8_t> band_;
};

}  // namespace millrace
