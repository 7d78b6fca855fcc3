#include <millrace/image/pixels.h>
#include <millrace/io/detail/tiff_layout.h>

#include <algorithm>
#include <cstring>

namespace millrace::detail {
namespace {

constexpr unsigned kMost = 255;

// Calls sample(i) for all that are wanted of a row and puts what it gives in place.
template <class Sample>
void place(const TiffLayout& layout, int plane, std::uint8_t* pixels, Sample sample) {
  const auto channels = static_cast<std::size_t>(layout.header.channels);
  const auto width = static_cast<std::size_t>(layout.header.width);
  const auto first = static_cast<std::size_t>(std::max(plane, 0));
  const auto count = static_cast<std::size_t>(plane < 0 ? layout.used : 1);
  const auto stride = static_cast<std::size_t>(plane < 0 ? layout.samples : 1);
  for (std::size_t x = 0; x < width; ++x) {
    for (std::size_t i = 0; i < count; ++i) {
      pixels[x * channels + first + i] = static_cast<std::uint8_t>(sample(x * stride + i));
    }
  }
}

// Several samples a byte, the first one in the highest bits.
unsigned packed(const std::uint8_t* row, std::size_t index, unsigned bits) {
  const std::size_t at = index * bits;
  return (row[at / 8] >> (8 - bits - at % 8)) & ((1U << bits) - 1);
}

// Three bytes for two samples.
unsigned packed12(const std::uint8_t* row, std::size_t index) {
  const std::uint8_t* const at = row + index / 2 * 3;
  const unsigned first = at[0], second = at[1];
  return index % 2 == 0 ? first << 4U | second >> 4U : (second & 15U) << 8U | at[2];
}

unsigned native16(const std::uint8_t* row, std::size_t index) {
  std::uint16_t value = 0;
  std::memcpy(&value, row + 2 * index, sizeof(value));
  return value;
}

unsigned scaled(unsigned value, unsigned maximum) {
  return (value * kMost + maximum / 2) / maximum;
}

// Pillow's integers, which cut off.
void divide_by_alpha(std::uint8_t* pixel) {
  const unsigned alpha = pixel[3];
  for (int i = 0; i < 3 && alpha < kMost; ++i) {
    const unsigned value = alpha == 0 ? 0 : pixel[i] * kMost / alpha;
    pixel[i] = static_cast<std::uint8_t>(std::min(value, kMost));
  }
}

}  // namespace

std::uint64_t TiffLayout::row_bytes(int count) const noexcept {
  const auto all = static_cast<std::uint64_t>(header.width) * static_cast<std::uint64_t>(count);
  return (all * static_cast<std::uint64_t>(bits) + 7) / 8;
}

void place_samples(const TiffLayout& layout, const std::uint8_t* row, int plane,
                   std::uint8_t* pixels) {
  const auto bits = static_cast<unsigned>(layout.bits);
  const unsigned factor = layout.colours == TiffColours::palette ? 1 : kMost / ((1U << bits) - 1);
  const bool is_grey = layout.colours == TiffColours::grey;
  switch (bits) {
    case 8: return place(layout, plane, pixels, [&](std::size_t i) { return row[i]; });
    case 12:
      return place(layout, plane, pixels,
                   [&](std::size_t i) { return scaled(packed12(row, i), 4095); });
    case 16:
      return place(layout, plane, pixels, [&](std::size_t i) {
        const unsigned value = native16(row, i);
        return is_grey ? scaled(value, 65535) : value >> 8U;
      });
    default:
      return place(layout, plane, pixels,
                   [&](std::size_t i) { return packed(row, i, bits) * factor; });
  }
}

void finish_row(const TiffLayout& layout, std::uint8_t* pixels) {
  const auto channels = static_cast<std::size_t>(layout.header.channels);
  const std::uint8_t* const end = pixels + channels * static_cast<std::size_t>(layout.header.width);
  for (std::uint8_t* pixel = pixels; pixel < end; pixel += channels) {
    switch (layout.colours) {
      case TiffColours::grey:
        if (layout.is_inverted) pixel[0] ^= 0xFFU;
        break;
      case TiffColours::palette: {
        const std::array<std::uint8_t, 3>& colour = layout.palette[pixel[0]];
        if (channels == 4) pixel[3] = pixel[1];
        std::copy(colour.begin(), colour.end(), pixel);
        break;
      }
      case TiffColours::rgb:
      case TiffColours::ycc:
        if (layout.is_associated) divide_by_alpha(pixel);
        break;
      case TiffColours::cmyk:
        convert_cmyk_row(pixel, false, pixel, 1);
        pixel[3] = kMost;
        break;
    }
  }
}

}  // namespace millrace::detail
