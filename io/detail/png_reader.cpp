#include <millrace/io/detail/png_reader.h>

#include <millrace/core/bytes.h>
#include <millrace/core/error.h>
#include <millrace/io/detail/inflate.h>
#include <millrace/io/detail/stb_picture.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::detail {
namespace {

using Span = std::span<const std::byte>;

enum Colour : unsigned { kGrey = 0, kRgb = 2, kPalette = 3, kGreyAlpha = 4, kRgbAlpha = 6 };

constexpr std::size_t kSignature = 8;
constexpr std::size_t kAroundData = 12;  // length, type and checksum of a part
constexpr std::size_t kHeaderData = 13;

[[noreturn]] void damaged(std::string_view what) {
  throw Error(concat("a damaged PNG file: ", what, "; get it again"));
}

std::uint32_t number_at(Span bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = (value << 8) | std::to_integer<std::uint32_t>(bytes[at + i]);
  }
  return value;
}

// A part ("chunk") of the file.
struct Part {
  std::string_view type;
  Span data;
  Span whole;  // with what stands around the data
};

bool is_letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

std::string name_of(std::string_view type) {
  if (std::all_of(type.begin(), type.end(), is_letter)) return std::string(type);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const char c : type) {
    const auto byte = static_cast<unsigned char>(c);
    hex += {hex.empty() ? '(' : ' ', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return hex + ')';
}

// The part that begins at `at`, its checksum compared.
Part part_at(Span file, std::size_t at) {
  constexpr std::string_view kEndsEarly = "a PNG file that ends early; get it again";
  if (file.size() < at + kAroundData) throw Error(std::string(kEndsEarly));
  const std::size_t length = number_at(file, at);
  if (length > file.size() - at - kAroundData) throw Error(std::string(kEndsEarly));
  Part part;
  part.whole = file.subspan(at, length + kAroundData);
  part.data = part.whole.subspan(8, length);
  part.type = {reinterpret_cast<const char*>(part.whole.data()) + 4, 4};
  if (crc32(part.whole.subspan(4, length + 4)) != number_at(part.whole, 8 + length)) {
    damaged(concat("the checksum of its part ", name_of(part.type), " is wrong"));
  }
  return part;
}

struct Header {
  std::uint32_t width = 0, height = 0;
  unsigned depth = 0, colour = 0;
};

bool is_depth_of(unsigned colour, unsigned depth) {
  switch (colour) {
    case kGrey: return depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
    case kPalette: return depth == 1 || depth == 2 || depth == 4 || depth == 8;
    case kRgb:
    case kGreyAlpha:
    case kRgbAlpha: return depth == 8 || depth == 16;
    default: return false;
  }
}

[[noreturn]] void refuse_xcode() {
  throw Error(
      "a PNG file as Xcode writes it for iPhones (CgBI), which is not read; convert it, on a Mac, "
      "with `xcrun pngcrush -revert-iphone-optimizations in.png out.png`");
}

Header read_header(Span file) {
  const Part part = part_at(file, kSignature);
  if (part.type == "CgBI") refuse_xcode();
  if (part.type != "IHDR") {
    damaged(concat("it begins with its part ", name_of(part.type), " in place of IHDR"));
  }
  if (part.data.size() != kHeaderData) damaged("its header has another length than 13 bytes");
  const auto byte = [&](std::size_t at) { return std::to_integer<unsigned>(part.data[at]); };
  const Header header{number_at(part.data, 0), number_at(part.data, 4), byte(8), byte(9)};
  constexpr std::uint32_t kMost = 0x7FFFFFFF;
  if (header.width == 0 || header.height == 0 || header.width > kMost || header.height > kMost) {
    damaged(concat("its header claims ", header.width, "x", header.height, " pixels"));
  }
  if (!is_depth_of(header.colour, header.depth)) {
    damaged(concat("its header claims colour type ", header.colour, " of ", header.depth,
                   " bits, which PNG does not have"));
  }
  if (byte(10) != 0 || byte(11) != 0 || byte(12) > 1) {
    damaged("its header names a way to pack, filter or interlace that PNG does not have");
  }
  return header;
}

// What is needed of a file, all of whose checksums are right.
struct Contents {
  Header header;
  Span palette;
  Span pixels;           // the parts IDAT, one behind the other, as they lie in the file
  bool is_plain = true;  // has nothing that stb_image reads in another way than Pillow
};

void take_palette(Contents& contents, const Part& part) {
  contents.is_plain = false;
  if (contents.header.colour != kPalette) return;  // a proposal for screens of few colours
  if (!contents.pixels.empty()) damaged("its part PLTE stands behind the pixels");
  if (!contents.palette.empty()) damaged("it has two parts PLTE");
  const std::size_t bytes = part.data.size();
  if (bytes == 0 || bytes > 256 * 3 || bytes % 3 != 0) {
    damaged(concat("its part PLTE has ", bytes, " bytes"));
  }
  contents.palette = part.data;
}

void take_pixels(Contents& contents, const Part& part) {
  if (contents.pixels.empty()) {
    contents.pixels = part.whole;
    if (part.data.empty()) contents.is_plain = false;  // stb_image takes it from nowhere
  } else if (contents.pixels.data() + contents.pixels.size() == part.whole.data()) {
    contents.pixels = {contents.pixels.data(), contents.pixels.size() + part.whole.size()};
  } else {
    damaged("its parts IDAT do not follow each other");
  }
}

// In an animation: the image must be a whole frame of it, or none.
void check_frame(const Contents& contents, const Part& part) {
  if (!contents.pixels.empty() || part.data.size() < 20) return;
  const auto is = [&](std::size_t at, std::uint32_t value) {
    return number_at(part.data, at) == value;
  };
  if (!is(4, contents.header.width) || !is(8, contents.header.height) || !is(12, 0) || !is(16, 0)) {
    damaged("the first frame of its animation (fcTL) has another size than the image");
  }
}

void take(Contents& contents, const Part& part) {
  if (part.type == "IDAT") return take_pixels(contents, part);
  if (part.type == "PLTE") return take_palette(contents, part);
  if (part.type == "fcTL") return check_frame(contents, part);
  if (part.type == "CgBI") refuse_xcode();
  if (part.type == "tRNS") contents.is_plain = false;
  if (part.type == "IHDR") damaged("it has two parts IHDR");
  if (!std::all_of(part.type.begin(), part.type.end(), is_letter)) {
    damaged(concat("the name of its part ", name_of(part.type), " is none"));
  }
  if (part.type[0] >= 'a') return;  // may be passed over, says the case of the letter
  throw Error(concat("a PNG file whose part ", part.type,
                     " is of no known kind, and not one to pass over; save it anew with another "
                     "program"));
}

Contents read_contents(Span file) {
  Contents contents{.header = read_header(file), .palette = {}, .pixels = {}};
  std::size_t at = kSignature + kHeaderData + kAroundData;
  for (;;) {
    const Part part = part_at(file, at);
    if (part.type == "IEND") break;
    take(contents, part);
    at += part.whole.size();
  }
  if (contents.header.colour == kPalette && contents.palette.empty()) {
    damaged("it has no PLTE, the colours of its palette");
  }
  if (contents.pixels.empty()) damaged("it has no IDAT, the pixels");
  while (!contents.pixels.empty() && number_at(contents.pixels, 0) == 0) {
    contents.pixels = contents.pixels.subspan(kAroundData);
  }
  if (contents.pixels.empty()) damaged("its IDAT, the pixels, is empty");
  return contents;
}

RasterHeader raster_of(const Header& header) {
  RasterHeader raster{static_cast<int>(header.height), static_cast<int>(header.width), 0};
  switch (header.colour) {
    case kGrey: raster.channels = 1; break;
    case kGreyAlpha: raster.channels = 2; break;
    case kRgbAlpha: raster.channels = 4; break;
    default: raster.channels = 3;
  }
  return raster;
}

// stb_image's own bounds, which it names by one word for all.
void check_size(const Header& header) {
  constexpr std::uint32_t kMostSide = 1U << 24;
  constexpr std::uint64_t kMostSamples = 1U << 30;
  const std::uint64_t pixels = std::uint64_t{header.width} * header.height;
  const auto channels = static_cast<std::uint64_t>(raster_of(header).channels);
  if (header.width <= kMostSide && header.height <= kMostSide &&
      pixels <= kMostSamples / channels) {
    return;
  }
  throw Error(concat(header.width, "x", header.height,
                     " pixels are more than a PNG file may have here; shrink it"));
}

// The file with nothing but header and pixels; a palette's indices pass for shades of grey.
std::vector<std::byte> plain_file(Span file, const Contents& contents, std::size_t max_bytes) {
  constexpr std::size_t kHead = kSignature + kAroundData + kHeaderData;
  constexpr std::string_view kEnd("\0\0\0\0IEND\xAE\x42\x60\x82", kAroundData);
  const std::size_t bytes = kHead + contents.pixels.size() + kEnd.size();
  check_raster_bytes(bytes, max_bytes);
  std::vector<std::byte> plain(bytes);
  std::memcpy(plain.data(), file.data(), kHead);
  std::memcpy(plain.data() + kHead, contents.pixels.data(), contents.pixels.size());
  std::memcpy(plain.data() + bytes - kEnd.size(), kEnd.data(), kEnd.size());
  if (contents.header.colour == kPalette) plain[kSignature + 17] = std::byte{kGrey};
  return plain;  // stb_image does not look at the header's checksum
}

// The colours of indices that were read as shades of grey, which spread from 0 to 255.
Raster look_up(const Raster& indices, const Contents& contents, std::size_t max_bytes) {
  const RasterHeader header = raster_of(contents.header);
  const std::size_t pixels =
      static_cast<std::size_t>(header.height) * static_cast<std::size_t>(header.width);
  check_raster_bytes(4 * pixels, max_bytes);  // an index and three samples each
  Raster colours = new_raster(header, max_bytes);
  std::array<std::array<std::uint8_t, 4>, 256> table{};  // black, as in Pillow, what has no colour
  const std::size_t step =
      contents.header.depth == 8 ? 1 : 255 / ((1U << contents.header.depth) - 1);
  for (std::size_t i = 0; i < contents.palette.size() / 3 && i * step < table.size(); ++i) {
    std::memcpy(table[i * step].data(), contents.palette.data() + 3 * i, 3);
  }
  // Four bytes are one store; the next pixel writes over the last of them.
  std::uint8_t* to = colours.pixels.get();
  const std::uint8_t* const from = indices.pixels.get();
  for (std::size_t i = 0; i + 1 < pixels; ++i, to += 3) std::memcpy(to, table[from[i]].data(), 4);
  std::memcpy(to, table[from[pixels - 1]].data(), 3);
  return colours;
}

}  // namespace

RasterHeader png_header(std::span<const std::byte> file) {
  return raster_of(read_header(file));
}

Raster png_decode(std::span<const std::byte> file, std::size_t max_bytes) {
  const Contents contents = read_contents(file);
  check_size(contents.header);
  if (contents.is_plain) return stb_decode(file, max_bytes);
  std::vector<std::byte> plain = plain_file(file, contents, max_bytes);
  Raster image = stb_decode(plain, max_bytes, plain.size());
  if (contents.header.colour != kPalette) return image;
  plain = {};
  return look_up(image, contents, max_bytes);
}

}  // namespace millrace::detail
