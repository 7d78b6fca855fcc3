#pragma once
// The places of a sliding window over an image: the arithmetic that convolutions and poolings of
// all engines share. All of it is thread-safe.

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::nn {

/// A number for rows and one for columns: the size of a window, its strides, its dilation.
struct Pair {
  std::int64_t rows = 1, columns = 1;

  constexpr Pair() = default;
  constexpr Pair(std::int64_t both)  // NOLINT(google-explicit-constructor): 2 is {2, 2}
      : rows(both), columns(both) {}
  constexpr Pair(std::int64_t for_rows, std::int64_t for_columns)
      : rows(for_rows), columns(for_columns) {}
  friend constexpr bool operator==(const Pair&, const Pair&) = default;
};
/// "2", or "2x1".
[[nodiscard]] std::string to_string(const Pair& pair);

/// Pixels around an image over which a window may lie.
class Padding {
 public:
  static const Padding valid;  ///< none
  /// output = ceil(input / stride), split as TensorFlow does: the odd one at the bottom and right.
  static const Padding same;
  [[nodiscard]] static constexpr Padding all(std::int64_t pixels) {
    return sides(pixels, pixels, pixels, pixels);
  }
  [[nodiscard]] static constexpr Padding sides(std::int64_t top, std::int64_t bottom,
                                               std::int64_t left, std::int64_t right) {
    Padding padding;
    padding.top_ = top;
    padding.bottom_ = bottom;
    padding.left_ = left;
    padding.right_ = right;
    return padding;
  }

  [[nodiscard]] constexpr bool is_same() const { return is_same_; }
  // 0 for `same`, whose numbers depend on the image.
  [[nodiscard]] constexpr std::int64_t top() const { return top_; }
  [[nodiscard]] constexpr std::int64_t bottom() const { return bottom_; }
  [[nodiscard]] constexpr std::int64_t left() const { return left_; }
  [[nodiscard]] constexpr std::int64_t right() const { return right_; }
  friend constexpr bool operator==(const Padding&, const Padding&) = default;

 private:
  std::int64_t top_ = 0, bottom_ = 0, left_ = 0, right_ = 0;
  bool is_same_ = false;

  static constexpr Padding make_same() {
    Padding padding;
    padding.is_same_ = true;
    return padding;
  }
};
inline constexpr Padding Padding::valid{};
inline constexpr Padding Padding::same = Padding::make_same();
/// "valid", "same", or "[top, bottom, left, right]" in numbers.
[[nodiscard]] std::string to_string(const Padding& padding);

/// What slides over an image.
struct SlidingWindow {
  Pair size{1}, stride{1};
  Pair dilation{1};  ///< from one pixel that it reads to the next
  Padding padding = Padding::valid;
  /// A last window may go past the image and its padding, if it begins before the end of the image
  /// or in the padding before it (PyTorch's ceil_mode). Not with `same`.
  bool ceil = false;
};

/// Positions of a window along one side of the image, and the pixels that it needs beyond each end.
struct Window {
  std::int64_t output = 0;  ///< how many positions; 0 when the window does not fit
  std::int64_t before = 0;  ///< padding at the top or left
  std::int64_t after = 0;   ///< padding at the bottom or right
  std::int64_t beyond = 0;  ///< pixels past that padding which the last window lies over
};
struct Placement {
  Window rows, columns;
};
/// `same` follows TensorFlow: output = ceil(extent / stride), and the odd pixel of padding goes to
/// the end (tensorflow.org/api_docs/python/tf/nn, "Notes on padding"). Requires positive arguments
/// and padding that is not negative.
[[nodiscard]] Placement place(const SlidingWindow& window, std::int64_t height, std::int64_t width);

/// The pixels of a side of the image, from `begin` to before `end`, of which an average is taken,
/// and by how many it is divided.
struct Stretch {
  std::int64_t begin = 0, end = 0, count = 0;
};
/// Those under each position of a window; `count_padding`: that lies over padding counts it too.
/// Requires: each position lies over a pixel of the image.
struct Stretches {
  std::vector<Stretch> rows, columns;
};
[[nodiscard]] Stretches stretches(const SlidingWindow& window, std::int64_t height,
                                  std::int64_t width, bool count_padding);
/// Those that divide a side into `parts` that touch or overlap by a pixel, PyTorch's adaptive
/// pooling: from floor(i * extent / parts) to before ceil((i + 1) * extent / parts).
[[nodiscard]] std::vector<Stretch> adaptive_stretches(std::int64_t extent, std::int64_t parts);

}  // namespace millrace::nn
