#pragma once
// Views of 8-bit images in memory that somebody else owns: what decoders write, resizers read and
// augmentation changes in place. A view owns nothing and is passed by value.

#include <millrace/core/error.h>
#include <millrace/core/shape.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace millrace {

/// An image [height][width][channels] of 8-bit samples, channels interleaved, rows `stride` bytes
/// apart. Pixel is std::uint8_t or const std::uint8_t.
template <class Pixel>
struct BasicImageView {
  Pixel* data = nullptr;
  int height = 0;
  int width = 0;
  int channels = 0;
  std::size_t stride = 0;  ///< bytes from one row to the next

  BasicImageView() = default;
  /// Rows that follow each other without a gap.
  BasicImageView(Pixel* memory, int rows, int columns, int samples)
      : BasicImageView(memory, rows, columns, samples,
                       static_cast<std::size_t>(columns) * static_cast<std::size_t>(samples)) {}
  /// Requires: extents are not negative and a row fits into its stride.
  BasicImageView(Pixel* memory, int rows, int columns, int samples, std::size_t row_stride)
      : data(memory), height(rows), width(columns), channels(samples), stride(row_stride) {
    MILLRACE_CHECK(rows >= 0 && columns >= 0 && samples >= 1, "an image of ", rows, "x", columns,
                   "x", samples, " cannot be");
    MILLRACE_CHECK(row_bytes() <= stride, "a row of ", row_bytes(), " bytes needs more than ",
                   stride);
  }
  /// Every image can be read.
  template <class Other>
  requires(std::is_const_v<Pixel>&& std::is_same_v<Other, std::remove_const_t<Pixel>>)
      BasicImageView(const BasicImageView<Other>& other)  // NOLINT(google-explicit-constructor)
      : BasicImageView(other.data, other.height, other.width, other.channels, other.stride) {}

  [[nodiscard]] Pixel* row(int y) const noexcept {
    return data + static_cast<std::size_t>(y) * stride;
  }
  [[nodiscard]] Pixel* pixel(int y, int x) const noexcept {
    return row(y) + static_cast<std::size_t>(x) * static_cast<std::size_t>(channels);
  }
  [[nodiscard]] std::size_t row_bytes() const noexcept {
    return static_cast<std::size_t>(width) * static_cast<std::size_t>(channels);
  }
};

using ImageView = BasicImageView<std::uint8_t>;
using ConstImageView = BasicImageView<const std::uint8_t>;

/// One sample of a batch as an image. Requires: u8, shape {height, width, channels}.
[[nodiscard]] inline ImageView image_of(const TensorView& sample) {
  MILLRACE_CHECK(sample.shape.rank() == 3, "an image has height, width and channels, not ",
                 to_string(sample.shape));
  const auto extent = [&](int dimension) { return static_cast<int>(sample.shape[dimension]); };
  return {sample.as<std::uint8_t>().data(), extent(0), extent(1), extent(2)};
}

}  // namespace millrace
