#pragma once
// Resizing of 8-bit images, equal to Pillow's Image.resize to the byte for all of its filters. The
// streaming form takes rows as a decoder makes them, so that no full-size image is ever held.
// Nothing is allocated while sizes repeat.

#include <millrace/core/bytes.h>
#include <millrace/image/filter.h>
#include <millrace/image/image.h>

#include <cstdint>
#include <memory>
#include <span>

namespace millrace {

/// Resizes images of 1 or 3 channels. Owns the weight tables of the sizes met last, the window of
/// rows between the two passes and nothing else, so memory does not grow with the height.
/// Arithmetic: Pillow 8-bit resampling, weights with 22 fraction bits, each pass rounded to 8 bits.
///
/// Thread safety: one Resizer a thread.
///
///   Resizer resizer;
///   resizer.begin(source_height, source_width, target, Filter::bilinear);
///   for (int y = 0; y < source_height; ++y) resizer.push_row(next_row());
class Resizer {
 public:
  Resizer();
  ~Resizer();
  Resizer(Resizer&&) noexcept;
  Resizer& operator=(Resizer&&) noexcept;

  /// The whole of `source` into the whole of `target`. Requires: equal channels (1 or 3), no extent
  /// zero, memory that does not overlap. Equal sizes are copied.
  void resize(ConstImageView source, ImageView target, Filter filter);

  /// Starts a streamed resize of height x width pixels with target.channels samples. Rows of an
  /// image begun before and not finished are forgotten. Requires: as resize().
  void begin(int height, int width, ImageView target, Filter filter);
  /// The next row, from the top: width * channels bytes, read before the call returns.
  void push_row(std::span<const std::uint8_t> row);
  /// Where a decoder may write the next row with four bytes a pixel, the fourth of which is
  /// ignored: the layout in which pixels are summed, so that nothing has to be moved. Null if this
  /// resize does not use such rows. Its address is never a multiple of 32: libjpeg-turbo would then
  /// bypass the caches, although the row is read next. Valid until begin().
  [[nodiscard]] std::uint8_t* wide_row() noexcept;
  /// As push_row(), with what was written there. Requires: wide_row() is not null.
  void push_wide_row();
  /// Every row of the target has been written. True at the latest after the last row came.
  [[nodiscard]] bool is_complete() const noexcept;

  /// Memory held at the moment.
  [[nodiscard]] Bytes scratch_bytes() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
