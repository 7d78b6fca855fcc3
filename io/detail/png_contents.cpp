#include <millrace/io/detail/png_contents.h>

#include <millrace/core/error.h>
#include <millrace/io/detail/inflate.h>
#include <millrace/io/detail/number_at.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace millrace::detail {
namespace {

using Span = std::span<const std::byte>;

constexpr std::size_t kSignature = 8;
constexpr std::size_t kHeaderData = 13;
static_assert(kSignature + kHeaderData + kPngAroundData == kPngBehindHeader);

[[noreturn]] void damaged(std::string_view what) {
  throw Error(concat("a damaged PNG file: ", what, "; get it again"));
}

// A part of the file.
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

constexpr const char* kEndsEarly = "a PNG file that ends early; get it again";

std::string_view type_at(Span file, std::size_t at) {
  if (file.size() < at + kPngAroundData) throw Error(kEndsEarly);
  return {reinterpret_cast<const char*>(file.data()) + at + 4, 4};
}

// The part that begins at `at`, its checksum compared.
Part part_at(Span file, std::size_t at) {
  Part part;
  part.type = type_at(file, at);
  const std::size_t length = number_at(file, at, 4);
  if (length > file.size() - at - kPngAroundData) throw Error(kEndsEarly);
  part.whole = file.subspan(at, length + kPngAroundData);
  part.data = part.whole.subspan(8, length);
  if (crc32(part.whole.subspan(4, length + 4)) != number_at(part.whole, 8 + length, 4)) {
    damaged(concat("the checksum of its part ", name_of(part.type), " is wrong"));
  }
  return part;
}

bool is_depth_of(unsigned colour, unsigned depth) {
  switch (colour) {
    case kPngGrey: return depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
    case kPngPalette: return depth == 1 || depth == 2 || depth == 4 || depth == 8;
    case kPngRgb:
    case kPngGreyAlpha:
    case kPngRgbAlpha: return depth == 8 || depth == 16;
    default: return false;
  }
}

[[noreturn]] void refuse_xcode() {
  throw Error(
      "a PNG file as Xcode writes it for iPhones (CgBI), which is not read; convert it, on a Mac, "
      "with `xcrun pngcrush -revert-iphone-optimizations in.png out.png`");
}

void take_palette(PngContents& contents, const Part& part) {
  contents.is_plain = false;
  if (contents.header.colour != kPngPalette) return;  // a proposal for screens of few colours
  if (!contents.pixels.empty()) damaged("its part PLTE comes after the pixels");
  if (!contents.palette.empty()) damaged("it has two parts PLTE");
  const std::size_t bytes = part.data.size();
  if (bytes == 0 || bytes > 256 * 3 || bytes % 3 != 0) {
    damaged(concat("its part PLTE has ", bytes, " bytes"));
  }
  contents.palette = part.data;
}

bool may_have_transparency(const PngHeader& header) {
  return header.colour == kPngGrey || header.colour == kPngRgb || header.colour == kPngPalette;
}

// Alpha beyond the palette is taken, as in Pillow. Out of order it is refused, as other parts are:
// libpng passes it over there, and Pillow does not.
void take_transparency(PngContents& contents, const Part& part) {
  contents.is_plain = false;
  const unsigned colour = contents.header.colour;
  if (contents.wanted == Transparency::dropped || !may_have_transparency(contents.header)) return;
  if (!contents.pixels.empty()) damaged("its part tRNS comes after the pixels");
  if (contents.transparency) damaged("it has two parts tRNS");
  if (colour == kPngPalette && contents.palette.empty()) {
    damaged("its part tRNS comes before PLTE");
  }
  const std::size_t bytes = part.data.size();
  if (colour == kPngPalette ? bytes > 256 : bytes != (colour == kPngGrey ? 2U : 6U)) {
    damaged(concat("its part tRNS has ", bytes, " bytes"));
  }
  contents.transparency = part.data;
}

void take_pixels(PngContents& contents, const Part& part) {
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
void check_frame(const PngContents& contents, const Part& part) {
  if (!contents.pixels.empty() || part.data.size() < 20) return;
  const auto is = [&](std::size_t at, std::uint32_t value) {
    return number_at(part.data, at, 4) == value;
  };
  if (!is(4, contents.header.width) || !is(8, contents.header.height) || !is(12, 0) || !is(16, 0)) {
    damaged("the first frame of its animation (fcTL) has another size than the image");
  }
}

void take(PngContents& contents, const Part& part) {
  if (part.type == "IDAT") return take_pixels(contents, part);
  if (part.type == "PLTE") return take_palette(contents, part);
  if (part.type == "fcTL") return check_frame(contents, part);
  if (part.type == "CgBI") refuse_xcode();
  if (part.type == "tRNS") return take_transparency(contents, part);
  if (part.type == "IHDR") damaged("it has two parts IHDR");
  if (!std::all_of(part.type.begin(), part.type.end(), is_letter)) {
    damaged(concat("the name of its part ", name_of(part.type), " is none"));
  }
  if (part.type[0] >= 'a') return;  // may be passed over, says the case of the letter
  throw Error(concat("a PNG file whose part ", part.type,
                     " is of an unknown kind, and not one to skip; save it again with another "
                     "program"));
}

}  // namespace

PngHeader read_png_header(Span file) {
  const Part part = part_at(file, kSignature);
  if (part.type == "CgBI") refuse_xcode();
  if (part.type != "IHDR") {
    damaged(concat("it begins with its part ", name_of(part.type), " in place of IHDR"));
  }
  if (part.data.size() != kHeaderData) damaged("its header has another length than 13 bytes");
  const auto byte = [&](std::size_t at) { return std::to_integer<unsigned>(part.data[at]); };
  const auto size = [&](std::size_t at) {
    return static_cast<std::uint32_t>(number_at(part.data, at, 4));
  };
  const PngHeader header{size(0), size(4), byte(8), byte(9)};
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

bool has_png_transparency(Span file, const PngHeader& header) {
  if (!may_have_transparency(header)) return false;
  for (std::size_t at = kPngBehindHeader; type_at(file, at) != "IDAT";) {
    const Part part = part_at(file, at);
    if (part.type == "tRNS") return true;
    if (part.type == "IEND") return false;
    at += part.whole.size();
  }
  return false;
}

PngContents read_png_contents(Span file, Transparency wanted) {
  PngContents contents{.header = read_png_header(file),
                       .palette = {},
                       .pixels = {},
                       .wanted = wanted,
                       .transparency = {}};
  std::size_t at = kPngBehindHeader;
  for (;;) {
    const Part part = part_at(file, at);
    if (part.type == "IEND") break;
    take(contents, part);
    at += part.whole.size();
  }
  if (contents.header.colour == kPngPalette && contents.palette.empty()) {
    damaged("it has no PLTE, the colours of its palette");
  }
  if (contents.pixels.empty()) damaged("it has no IDAT, the pixels");
  while (!contents.pixels.empty() && number_at(contents.pixels, 0, 4) == 0) {
    contents.pixels = contents.pixels.subspan(kPngAroundData);
  }
  if (contents.pixels.empty()) damaged("its IDAT, the pixels, is empty");
  return contents;
}

}  // namespace millrace::detail
