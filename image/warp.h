#pragma once
// The inner loops of affine resampling, vectorised for the processor that runs them. Used by
// AffineSampler only. Multiplications and additions are never fused, so that every processor gives
// the same numbers.

#include <cstddef>
#include <cstdint>

namespace millrace::warp {

/// The arrays of locate() and blend() have room for this many more elements, which may be written.
constexpr std::size_t kPadding = 16;

enum class Border : std::uint8_t { clamp, constant, reflect, wrap, wrap_short };

/// One coordinate of the pixels of an output row: at_row + column * step + offset, in this order,
/// as SciPy adds them.
struct Coordinate {
  double at_row = 0;  ///< the part that the output row decides
  double step = 0;    ///< for each output column
  double offset = 0;
  int extent = 1;  ///< of the source
};

/// An output row.
struct Row {
  Coordinate row, column;
  double first_column = 0, column_step = 1;  ///< of the output; -1 mirrors
  Border border = Border::clamp;
  bool rounds = false;  ///< takes the nearest pixel: fractions are 0
};

/// For each of n output pixels the upper left of the four source pixels around it, as an index into
/// an image with a border of one pixel on each side, and how far below and right of it the wanted
/// point lies, in [0, 1]. Index 0 means outside under Border::constant.
void locate(const Row& row, std::size_t n, std::int32_t* offsets, float* down, float* right);

/// A padded image of floats: `lanes` floats a pixel, 1 or a multiple of 4.
struct Source {
  const float* pixels = nullptr;
  std::size_t width = 0;  ///< with its border
  std::size_t lanes = 1;
  std::size_t channels = 1;  ///< of the lanes, in use
};

/// Bilinear values of n pixels, channels interleaved without gaps.
void blend(const Source& source, std::size_t n, const std::int32_t* offsets, const float* down,
           const float* right, float* out);

/// Rounded to 8 bits, halves up, clipped. Writes n bytes exactly.
void round_samples(const float* in, std::size_t n, std::uint8_t* out);

/// Pixels of `channels` bytes to pixels of `lanes` floats; lanes beyond the channels hold finite
/// values without meaning.
void widen(const std::uint8_t* in, std::size_t pixels, std::size_t channels, std::size_t lanes,
           float* out);

}  // namespace millrace::warp
