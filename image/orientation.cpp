#include <millrace/image/orientation.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <type_traits>

namespace millrace {
namespace {

// Rows of a band, which are columns of the source: as many pixels of each of its rows are read at
// once, a line or two of the caches. It is filled in tiles of few columns, since rows of some
// widths, such as 4096, share places in the first cache.
constexpr int kBandRows = 32;
constexpr int kTileColumns = 16;

bool reverses_rows(int orientation) {
  return orientation == 2 || orientation == 3;
}

int band_rows_of(int orientation) {
  if (swaps_axes(orientation)) return kBandRows;
  return reverses_rows(orientation) ? 1 : 0;  // else rows are the source's own
}

template <int kChannels>
void mirror(const std::uint8_t* row, int width, std::uint8_t* mirrored) {
  mirrored += static_cast<std::ptrdiff_t>(width) * kChannels;
  for (int x = 0; x < width; ++x, row += kChannels) {
    mirrored -= kChannels;
    std::memcpy(mirrored, row, kChannels);
  }
}

// Pixels of the source from `first` on, `count` of them, `step` bytes apart.
template <int kChannels>
void gather(const std::uint8_t* first, std::ptrdiff_t step, int count, std::uint8_t* to) {
  for (int i = 0; i < count; ++i, first += step, to += kChannels) {
    std::memcpy(to, first, kChannels);
  }
}

// Calls the loop for so many channels, which the compiler then knows.
template <class Loop>
void with_channels(int channels, Loop loop) {
  switch (channels) {
    case 1: return loop(std::integral_constant<int, 1>());
    case 2: return loop(std::integral_constant<int, 2>());
    case 3: return loop(std::integral_constant<int, 3>());
    default: return loop(std::integral_constant<int, 4>());
  }
}

}  // namespace

void mirror_row(const std::uint8_t* row, int width, int channels, std::uint8_t* mirrored) noexcept {
  with_channels(channels, [&](auto n) { mirror<n()>(row, width, mirrored); });
}

Bytes OrientedRows::planned_bytes(int height, int width, int channels, int orientation) {
  const int across = swaps_axes(orientation) ? height : width;
  const int along = swaps_axes(orientation) ? width : height;
  return {static_cast<std::size_t>(std::min(band_rows_of(orientation), along)) *
          static_cast<std::size_t>(across) * static_cast<std::size_t>(channels)};
}

void OrientedRows::begin(ConstImageView source, int orientation) {
  MILLRACE_CHECK(orientation >= 1 && orientation <= 8, "there is no orientation ", orientation);
  MILLRACE_CHECK(source.channels >= 1 && source.channels <= 4, "pixels of ", source.channels,
                 " channels are not turned");
  source_ = source;
  orientation_ = orientation;
  const bool swaps = swaps_axes(orientation);
  height_ = swaps ? source.width : source.height;
  width_ = swaps ? source.height : source.width;
  band_rows_ = std::min(band_rows_of(orientation), height_);
  band_first_ = -1;
  const Bytes bytes = planned_bytes(source.height, source.width, source.channels, orientation);
  band_.resize(std::max<std::size_t>(band_.size(), bytes.count));
}

const std::uint8_t* OrientedRows::row(int y) {
  MILLRACE_CHECK(y >= 0 && y < height_, "row ", y, " of ", height_);
  if (orientation_ == 1) return source_.row(y);
  if (orientation_ == 4) return source_.row(source_.height - 1 - y);
  if (!swaps_axes(orientation_)) {
    const int from = orientation_ == 2 ? y : source_.height - 1 - y;
    mirror_row(source_.row(from), width_, source_.channels, band_.data());
    return band_.data();
  }
  const int first = y / band_rows_ * band_rows_;
  if (first != band_first_) gather_band(first);
  const auto row_bytes =
      static_cast<std::size_t>(width_) * static_cast<std::size_t>(source_.channels);
  return band_.data() + static_cast<std::size_t>(y - first) * row_bytes;
}

// 5 and 6 begin with the first column of the source, 7 and 8 with its last; 5 and 8 take a column
// from its top, 6 and 7 from its bottom.
void OrientedRows::gather_band(int first) {
  const bool from_right = orientation_ == 7 || orientation_ == 8;
  const bool from_bottom = orientation_ == 6 || orientation_ == 7;
  const auto stride = static_cast<std::ptrdiff_t>(source_.stride);
  const std::ptrdiff_t step = from_bottom ? -stride : stride;
  const int rows = std::min(band_rows_, height_ - first);
  const auto channels = static_cast<std::size_t>(source_.channels);
  with_channels(source_.channels, [&](auto n) {
    for (int x = 0; x < width_; x += kTileColumns) {
      const int count = std::min(kTileColumns, width_ - x);
      const int from_y = from_bottom ? source_.height - 1 - x : x;
      for (int i = 0; i < rows; ++i) {
        const int from_x = from_right ? source_.width - 1 - first - i : first + i;
        const std::size_t place = static_cast<std::size_t>(i) * static_cast<std::size_t>(width_) +
                                  static_cast<std::size_t>(x);
        gather<n()>(source_.pixel(from_y, from_x), step, count, band_.data() + place * channels);
      }
    }
  });
  band_first_ = first;
}

}  // namespace millrace
