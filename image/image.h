#pragma once
// Views of images, which decoders write, resizers read and
// augmentation changes in place. A view owns no memory and is passed by value.

#include <millrace/core/error.h>
#include <millrace/core/shape.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace millrace {

/// An image [height][width][channels], channels interleaved, rows `stride` samples apart. Sample is
/// std::uint8_t or float, or const of these. Samples of floating-point images count in the same
/// units, 0 to 255, unless somebody says otherwise.
template <class Sample>
struct BasicImageView {
  Sample* data = nullptr;
  int height = 0;
  int width = 0;
  int channels = 0;
  std::size_t stride = 0;  ///< samples from one row to the next

  BasicImageView() = default;
  /// Rows that follow each other without a gap.
  BasicImageView(Sample* memory, int rows, int columns, int depth)
      : BasicImageView(memory, rows, columns, depth,
                       static_cast<std::size_t>(columns) * static_cast<std::size_t>(depth)) {}
  /// Requires: extents are not negative and a row fits into its stride.
  BasicImageView(Sample* memory, int rows, int columns, int depth, std::size_t row_stride)
      : data(memory), height(rows), width(columns), channels(depth), stride(row_stride) {
    MILLRACE_CHECK(rows >= 0 && columns >= 0 && depth >= 1, "an image of ", rows, "x", columns, "x",
                   depth, " cannot be");
    MILLRACE_CHECK(row_samples() <= stride, "a row of ", row_samples(), " samples needs more than ",
                   stride);
  }
  /// Every image can be read.
  template <class Other>
  requires(std::is_const_v<Sample>&& std::is_same_v<Other, std::remove_const_t<Sample>>)
      BasicImageView(const BasicImageView<Other>& other)  // NOLINT(google-explicit-constructor)
      : BasicImageView(other.data, other.height, other.width, other.channels, other.stride) {}

  [[nodiscard]] Sample* row(int y) const noexcept {
    return data + static_cast<std::size_t>(y) * stride;
  }
  [[nodiscard]] Sample* pixel(int y, int x) const noexcept {
    return row(y) + static_cast<std::size_t>(x) * static_cast<std::size_t>(channels);
  }
  [[nodiscard]] std::size_t row_samples() const noexcept {
    return static_cast<std::size_t>(width) * static_cast<std::size_t>(channels);
  }
  [[nodiscard]] std::size_t row_bytes() const noexcept { return row_samples() * sizeof(Sample); }
};

using ImageView = BasicImageView<std::uint8_t>;
using ConstImageView = BasicImageView<const std::uint8_t>;
using FloatImageView = BasicImageView<float>;
using ConstFloatImageView = BasicImageView<const float>;

/// One sample of a batch as an image. Requires: shape {height, width, channels}; u8 samples, or
/// those of the type asked for.
template <class Sample = std::uint8_t>
[[nodiscard]] BasicImageView<Sample> image_of(const TensorView& sample) {
  MILLRACE_CHECK(sample.shape.rank() == 3, "an image has height, width and channels, not ",
                 to_string(sample.shape));
  const auto extent = [&](int dimension) { return static_cast<int>(sample.shape[dimension]); };
  return {sample.as<Sample>().data(), extent(0), extent(1), extent(2)};
}

}  // namespace millrace
