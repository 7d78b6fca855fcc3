#include <millrace/io/detail/bmp_header.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <string>

namespace millrace::detail {
namespace {

constexpr std::size_t kFileHeader = 14;
constexpr std::size_t kMasksAt = 54;  // in every version of the header, or behind the first
constexpr std::uint32_t kCore = 12, kInfo = 40, kOs2 = 64;

enum Compression : std::uint32_t { kNone = 0, kRle8 = 1, kRle4 = 2, kMasks = 3, kJpeg = 4, kPng };

// Beyond what any writer means.
constexpr std::uint32_t kMostBits = 64, kMostCompression = 13, kMostColours = 65536;

// Little-endian numbers of a file. Requires: they lie within it.
class Fields {
 public:
  explicit Fields(std::span<const std::byte> file) : file_(file) {}
  [[nodiscard]] std::uint32_t u16(std::size_t at) const { return byte(at) | byte(at + 1) << 8; }
  [[nodiscard]] std::uint32_t u32(std::size_t at) const { return u16(at) | u16(at + 2) << 16; }
  [[nodiscard]] std::uint8_t u8(std::size_t at) const {
    return std::to_integer<std::uint8_t>(file_[at]);
  }
  void need(std::uint64_t bytes) const {
    if (file_.size() < bytes) throw Error("a BMP file that ends early; get it again");
  }
  [[nodiscard]] std::size_t size() const { return file_.size(); }

 private:
  [[nodiscard]] std::uint32_t byte(std::size_t at) const {
    return std::to_integer<std::uint32_t>(file_[at]);
  }
  std::span<const std::byte> file_;
};

// The fields of all versions of the header.
struct Info {
  std::uint32_t size = 0;  // of the header itself
  std::uint32_t bits = 0;
  std::uint32_t compression = kNone;
  std::uint32_t colours = 0;
};

void refuse(const std::string& what) {
  refuse_bmp(what.c_str());
}

[[noreturn]] void fail(const char* what) {
  throw Error(
      concat("a damaged BMP file: its header claims ", what, " that cannot be; get it again"));
}

void check_version(std::uint32_t size) {
  constexpr std::array<std::uint32_t, 7> kRead = {kCore, kInfo, 52, 56, kOs2, 108, 124};
  if (std::find(kRead.begin(), kRead.end(), size) != kRead.end()) return;
  refuse(concat("with a header of ", size, " bytes"));
}

void read_size(const Fields& file, const Info& info, BmpHeader& header) {
  std::int64_t width = 0, height = 0;
  if (info.size == kCore) {
    width = file.u16(18);
    height = file.u16(20);
  } else {
    width = static_cast<std::int32_t>(file.u32(18));
    height = static_cast<std::int32_t>(file.u32(22));
  }
  // A negative height means that the first row comes first.
  header.is_top_down = height < 0;
  constexpr std::int64_t kMostRows = 1 << 24;  // of these, as far as Pillow takes them for such
  if (width <= 0 || height == 0 || height < -kMostRows) {
    fail("pixels");
  }
  header.width = static_cast<int>(width);
  header.height = static_cast<int>(height < 0 ? -height : height);
}

Info read_info(const Fields& file, std::uint32_t size) {
  Info info{.size = size};
  if (size == kCore) {
    info.bits = file.u16(24);
  } else {
    info.bits = file.u16(28);
    info.compression = file.u32(30);
    info.colours = file.u32(46);
  }
  if (info.colours == 0 && info.bits <= 8) info.colours = 1U << info.bits;
  return info;
}

void check_kind(const Info& info) {
  const std::uint32_t bits = info.bits;
  if (info.size == kOs2 && info.compression == kMasks && bits == 1) refuse("packed by Huffman 1D");
  if (info.size == kOs2 && info.compression == kJpeg) refuse("with RLE24 runs");
  if (info.compression == kJpeg) refuse("with a JPEG file inside");
  if (info.compression == kPng) refuse("with a PNG file inside");
  if (info.compression > kMostCompression || bits > kMostBits) fail("bits and packing");
  if (info.compression > kPng) refuse(concat("packed by method ", info.compression));
  const bool is_runs = info.compression == kRle8 || info.compression == kRle4;
  if (is_runs && bits != (info.compression == kRle8 ? 8U : 4U)) {
    refuse(concat("with ", info.compression == kRle8 ? "RLE8" : "RLE4", " runs at ", bits,
                  " bits a pixel"));
  }
  constexpr std::array<std::uint32_t, 6> kRead = {1, 4, 8, 16, 24, 32};
  if (std::find(kRead.begin(), kRead.end(), bits) == kRead.end() ||
      (info.compression == kMasks && bits <= 8)) {
    refuse(concat("of ", bits, " bits a pixel",
                  info.compression == kMasks ? " with masks of colours" : ""));
  }
}

struct Masks {
  std::uint32_t red, green, blue, alpha;
  constexpr bool operator==(const Masks&) const = default;
};

// Masks that are read, all of whole bytes, and where red, green, blue and alpha then are. Without
// any mask Pillow takes the usual order, with alpha.
struct ByteMasks {
  Masks masks;
  std::array<std::uint8_t, 3> rgb;
  std::optional<std::uint8_t> alpha = std::nullopt;
};
constexpr std::array<ByteMasks, 8> kByteMasks = {{
    {{0xFF0000, 0xFF00, 0xFF, 0}, {2, 1, 0}},
    {{0xFF000000, 0xFF0000, 0xFF00, 0}, {3, 2, 1}},
    {{0xFF000000, 0xFF00, 0xFF, 0}, {3, 1, 0}},
    {{0xFF000000, 0xFF0000, 0xFF00, 0xFF}, {3, 2, 1}, 0},
    {{0xFF, 0xFF00, 0xFF0000, 0xFF000000}, {0, 1, 2}, 3},
    {{0xFF0000, 0xFF00, 0xFF, 0xFF000000}, {2, 1, 0}, 3},
    {{0xFF000000, 0xFF00, 0xFF, 0xFF0000}, {3, 1, 0}, 2},
    {{0, 0, 0, 0}, {2, 1, 0}, 3},
}};

void take_masks(Masks masks, BmpHeader& header) {
  if (header.bits != 32) masks.alpha = 0;
  if (header.bits == 16 && masks == Masks{0x7C00, 0x3E0, 0x1F, 0}) return;
  if (header.bits == 16 && masks == Masks{0xF800, 0x7E0, 0x1F, 0}) {
    header.coding = BmpCoding::packed565;
    return;
  }
  if (header.bits == 24 && masks == kByteMasks[0].masks) return;
  const auto* const known =
      std::find_if(kByteMasks.begin(), kByteMasks.end(),
                   [&](const ByteMasks& candidate) { return candidate.masks == masks; });
  if (header.bits == 32 && known != kByteMasks.end()) {
    header.rgb = known->rgb;
    header.alpha = known->alpha;
    return;
  }
  const auto hex = [](std::uint32_t mask) {
    std::string digits;
    for (int shift = 28; shift >= 0; shift -= 4) digits += "0123456789abcdef"[mask >> shift & 15];
    return digits;
  };
  refuse(concat("of ", header.bits, " bits a pixel with the masks ", hex(masks.red), ' ',
                hex(masks.green), ' ', hex(masks.blue), " and ", hex(masks.alpha)));
}

// Where its colours are the greys 0, 1, 2 and so on, or black and white, Pillow takes the numbers
// for the greys themselves, in bytes or bits whatever the depth is; and so misreads other depths.
// True if it is such a palette.
bool check_plain_greys(const Info& info, const BmpHeader& header) {
  const bool is_two = info.colours == 2;
  for (std::size_t i = 0; i < info.colours; ++i) {
    const auto grey = static_cast<std::uint8_t>(is_two ? i * 255 : i);
    if (header.palette[i] != std::array{grey, grey, grey}) return false;
  }
  if (is_two && info.bits != 1)
    refuse(concat("in black and white at ", info.bits, " bits a pixel"));
  if (!is_two && info.bits != 8 && info.compression == kNone) {
    refuse(concat("of ", info.bits, " bits a pixel whose colours are the greys from 0 on"));
  }
  return !is_two;
}

// Gives how many bytes of the file the palette takes. One that the end of the file cuts may do,
// where few of its colours are in use.
std::size_t read_palette(const Fields& file, const Info& info, std::size_t at, BmpHeader& header) {
  if (info.colours > header.palette.size()) {
    if (info.colours > kMostColours) fail("colours");
    refuse(concat("with a palette of ", info.colours, " colours"));
  }
  const std::size_t entry = info.size == kCore ? 3 : 4;
  const std::size_t there = file.size() > at ? (file.size() - at) / entry : 0;
  const std::size_t colours = std::min<std::size_t>(info.colours, there);
  header.is_grey = true;
  for (std::size_t i = 0; i < colours; ++i, at += entry) {
    auto& colour = header.palette[i];
    colour = {file.u8(at + 2), file.u8(at + 1), file.u8(at)};
    header.is_grey = header.is_grey && colour[0] == colour[1] && colour[1] == colour[2];
  }
  if (colours == info.colours && check_plain_greys(info, header)) {
    for (std::size_t i = colours; i < header.palette.size(); ++i) {
      header.palette[i].fill(static_cast<std::uint8_t>(i));
    }
  }
  return colours * entry;
}

BmpCoding coding_of(const Info& info) {
  if (info.compression == kRle8) return BmpCoding::rle8;
  if (info.compression == kRle4) return BmpCoding::rle4;
  if (info.bits <= 8) return BmpCoding::indexed;
  return info.bits == 16 ? BmpCoding::packed555 : BmpCoding::bytes;
}

}  // namespace

bool is_bmp(std::span<const std::byte> file) noexcept {
  constexpr std::uint32_t kMostHeader = 1024;  // of versions that may come; a text gives more
  if (file.size() < kFileHeader + 4) return false;
  const Fields fields(file);
  const std::uint32_t header = fields.u32(kFileHeader);
  return fields.u8(0) == 'B' && fields.u8(1) == 'M' && header >= kCore && header <= kMostHeader;
}

void refuse_bmp(const char* what) {
  throw Error(concat("a BMP file ", what,
                     ", which is not read; convert it with `convert in.bmp out.png` of "
                     "ImageMagick"));
}

BmpHeader read_bmp_header(std::span<const std::byte> bytes) {
  const Fields file(bytes);
  file.need(kFileHeader + 4);
  const std::uint32_t size = file.u32(kFileHeader);
  check_version(size);
  file.need(kFileHeader + size);
  const Info info = read_info(file, size);
  check_kind(info);
  BmpHeader header{.bits = static_cast<int>(info.bits),
                   .coding = coding_of(info),
                   .rgb = {2, 1, 0},
                   .palette = {}};
  read_size(file, info, header);

  std::size_t end = kFileHeader + size;
  if (info.compression == kMasks) {
    end = std::max(end, kMasksAt + 12);
    file.need(end);
    const std::uint32_t alpha = size >= 56 ? file.u32(kMasksAt + 12) : 0;
    take_masks({file.u32(kMasksAt), file.u32(kMasksAt + 4), file.u32(kMasksAt + 8), alpha}, header);
  }
  const std::size_t palette = info.bits <= 8 ? read_palette(file, info, end, header) : 0;
  header.pixels_at = file.u32(10);
  // Writers that forget the palette, or all, where they tell the place.
  if (header.pixels_at == end && info.bits <= 8) header.pixels_at += 4 * std::size_t{info.colours};
  if (header.pixels_at == 0) header.pixels_at = end + palette;
  if (header.pixels_at < end) {
    throw Error("a damaged BMP file: its pixels begin within its header; get it again");
  }
  return header;
}

}  // namespace millrace::detail
