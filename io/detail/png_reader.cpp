#include <millrace/io/detail/png_reader.h>

#include <millrace/core/bytes.h>
#include <millrace/core/error.h>
#include <millrace/io/detail/png_contents.h>
#include <millrace/io/detail/stb_png.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <vector>

namespace millrace::detail {
namespace {

using Span = std::span<const std::byte>;

RasterHeader raster_of(const PngHeader& header, bool is_transparent) {
  RasterHeader raster{static_cast<int>(header.height), static_cast<int>(header.width), 0};
  switch (header.colour) {
    case kPngGrey: raster.channels = is_transparent ? 2 : 1; break;
    case kPngGreyAlpha: raster.channels = 2; break;
    case kPngRgbAlpha: raster.channels = 4; break;
    default: raster.channels = is_transparent ? 4 : 3;
  }
  return raster;
}

RasterHeader raster_of(const PngContents& contents) {
  return raster_of(contents.header, contents.transparency.has_value());
}

// stb_image's own bounds, which it names by one word for all.
void check_size(const PngContents& contents) {
  const PngHeader& header = contents.header;
  constexpr std::uint32_t kMostSide = 1U << 24;
  constexpr std::uint64_t kMostSamples = 1U << 30;
  const std::uint64_t pixels = std::uint64_t{header.width} * header.height;
  const auto channels = static_cast<std::uint64_t>(raster_of(contents).channels);
  if (header.width <= kMostSide && header.height <= kMostSide &&
      pixels <= kMostSamples / channels) {
    return;
  }
  throw Error(concat(header.width, "x", header.height,
                     " pixels are more than a PNG file may have here; shrink it"));
}

// The part tRNS of the one colour that is transparent, without the bits that its samples do not
// have: decoders must mask them, says the format's text, and stb_image does not.
std::vector<std::byte> transparent_colour(const PngContents& contents) {
  if (contents.header.colour == kPngPalette || !contents.transparency) return {};
  const Span colour = *contents.transparency;
  const unsigned most = (1U << contents.header.depth) - 1;
  std::vector<std::byte> part(colour.size() + kPngAroundData);
  part[3] = static_cast<std::byte>(colour.size());
  std::memcpy(part.data() + 4, "tRNS", 4);
  for (std::size_t i = 0; i < colour.size(); i += 2) {
    part[8 + i] = colour[i] & static_cast<std::byte>(most >> 8);
    part[9 + i] = colour[i + 1] & static_cast<std::byte>(most & 255);
  }
  return part;
}

// The file with nothing but header, transparent colour and pixels; a palette's indices pass for
// shades of grey. stb_image does not look at checksums.
std::vector<std::byte> plain_file(Span file, const PngContents& contents, std::size_t max_bytes) {
  constexpr std::string_view kEnd("\0\0\0\0IEND\xAE\x42\x60\x82", kPngAroundData);
  const std::vector<std::byte> colour = transparent_colour(contents);
  const std::size_t bytes = kPngBehindHeader + colour.size() + contents.pixels.size() + kEnd.size();
  check_raster_bytes(bytes, max_bytes);
  std::vector<std::byte> plain(bytes);
  std::byte* to = plain.data();
  for (const Span piece : {file.first(kPngBehindHeader), Span(colour), contents.pixels,
                           std::as_bytes(std::span(kEnd))}) {
    to = std::copy(piece.begin(), piece.end(), to);
  }
  if (contents.header.colour == kPngPalette) plain[kPngColourAt] = std::byte{kPngGrey};
  return plain;
}

// The colours of indices that were read as shades of grey, which spread from 0 to 255.
Raster look_up(const Raster& indices, const PngContents& contents, std::size_t max_bytes) {
  const RasterHeader header = raster_of(contents);
  const std::size_t pixels = raster_bytes(indices.header);
  const auto channels = static_cast<std::size_t>(header.channels);
  check_raster_bytes((1 + channels) * pixels, max_bytes);  // with an index each
  Raster colours = new_raster(header, max_bytes);
  std::array<std::array<std::uint8_t, 4>, 256> table;
  table.fill({0, 0, 0, 255});  // black, as in Pillow, what has no colour
  const std::size_t step =
      contents.header.depth == 8 ? 1 : 255 / ((1U << contents.header.depth) - 1);
  for (std::size_t i = 0; i < contents.palette.size() / 3 && i * step < table.size(); ++i) {
    std::memcpy(table[i * step].data(), contents.palette.data() + 3 * i, 3);
  }
  const Span alphas = contents.transparency.value_or(Span());
  for (std::size_t i = 0; i < alphas.size() && i * step < table.size(); ++i) {
    table[i * step][3] = std::to_integer<std::uint8_t>(alphas[i]);
  }
  // Four bytes are one store; of three channels the next pixel writes over the last of them.
  std::uint8_t* to = colours.pixels.get();
  const std::uint8_t* const from = indices.pixels.get();
  const auto write = [&](auto step_to) {
    for (std::size_t i = 0; i + 1 < pixels; ++i, to += step_to) {
      std::memcpy(to, table[from[i]].data(), 4);
    }
  };
  using std::integral_constant;  // so that each loop knows its step
  channels == 3 ? write(integral_constant<int, 3>()) : write(integral_constant<int, 4>());
  std::memcpy(to, table[from[pixels - 1]].data(), channels);
  return colours;
}

}  // namespace

RasterHeader png_header(std::span<const std::byte> file, Transparency transparency) {
  const PngHeader header = read_png_header(file);
  return raster_of(header,
                   transparency == Transparency::kept && has_png_transparency(file, header));
}

Raster png_decode(std::span<const std::byte> file, std::size_t max_bytes,
                  Transparency transparency) {
  const PngContents contents = read_png_contents(file, transparency);
  check_size(contents);
  if (contents.is_plain) return stb_decode(file, max_bytes);
  std::vector<std::byte> plain = plain_file(file, contents, max_bytes);
  Raster image = stb_decode(plain, max_bytes, plain.size());
  if (contents.header.colour != kPngPalette) return image;
  plain = {};
  return look_up(image, contents, max_bytes);
}

}  // namespace millrace::detail
