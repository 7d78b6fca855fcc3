#include <millrace/io/detail/tga_reader.h>

#include <millrace/core/error.h>
#include <millrace/io/detail/unread.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace millrace::detail {
namespace {

using namespace std::string_view_literals;

using Colour = std::array<std::uint8_t, 4>;  // with alpha

constexpr std::uint8_t kOpaque = 255;

constexpr std::size_t kHeaderBytes = 18;

// Kinds of images; to each, 8 is added where they are packed in runs.
constexpr int kMapped = 1;
constexpr int kTrueColour = 2;
constexpr int kGrey = 3;

struct Header {
  int id_bytes, map_type, kind, map_first, map_count, map_bits, width, height, bits;
  bool has_runs, is_right_to_left, is_top_down, is_interleaved;
  int attribute_bits;
};

[[noreturn]] void not_read(const std::string& kind) {
  throw Error(concat("a TGA file ", kind, ", which is not read; convert it with `convert in.tga ",
                     "out.png` of ImageMagick"));
}

// Requires: kHeaderBytes.
Header parse(std::span<const std::byte> file) {
  const auto byte = [&](std::size_t at) { return std::to_integer<int>(file[at]); };
  const auto word = [&](std::size_t at) { return byte(at) | byte(at + 1) << 8; };
  const int flags = byte(17);
  return {byte(0),
          byte(1),
          byte(2) & ~8,
          word(3),
          word(5),
          byte(7),
          word(12),
          word(14),
          byte(16),
          (byte(2) & 8) != 0,
          (flags & 0x10) != 0,
          (flags & 0x20) != 0,
          (flags & 0xC0) != 0,
          flags & 0x0F};
}

bool is_one_of(int value, std::initializer_list<int> values) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

bool has_signature(std::span<const std::byte> file) {
  constexpr std::string_view kSignature = "TRUEVISION-XFILE.\0"sv;
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  return text.size() > kHeaderBytes + kSignature.size() && text.ends_with(kSignature);
}

// Refuses what Pillow does not read, and what it reads in ways that cannot be meant.
Header readable(std::span<const std::byte> file) {
  if (file.size() < kHeaderBytes) ends_early();
  const Header header = parse(file);
  if (header.width == 0 || header.height == 0) {
    throw Error("its header is damaged (no pixels); get it again");
  }
  if (!is_one_of(header.kind, {kMapped, kTrueColour, kGrey}) || header.map_type > 1) {
    not_read(concat("of type ", header.kind + (header.has_runs ? 8 : 0)));
  }
  const bool is_mapped = header.kind == kMapped;
  if (is_mapped && header.map_type == 0) {
    throw Error("its header is damaged (no colour map); get it again");
  }
  if (!is_mapped && header.map_type != 0) not_read("of true colours or greys with a colour map");
  if (is_mapped && !is_one_of(header.map_bits, {16, 24})) {
    not_read(concat("of ", header.map_bits, "-bit colours in a map"));
  }
  if (is_mapped && header.map_first + header.map_count > 256) not_read("of more than 256 colours");
  const bool has_bits = is_mapped                    ? header.bits == 8
                        : header.kind == kTrueColour ? is_one_of(header.bits, {16, 24, 32})
                        : header.has_runs            ? is_one_of(header.bits, {8, 16})
                                                     : is_one_of(header.bits, {1, 8, 16});
  if (!has_bits) {
    not_read(concat("of ", header.bits, "-bit pixels", header.has_runs ? " in runs" : ""));
  }
  if (header.is_interleaved) not_read("of interleaved rows");
  return header;
}

int channels_of(const Header& header, Transparency transparency) {
  if (header.kind == kGrey) return header.bits == 16 ? 2 : 1;
  const int bits = header.kind == kMapped ? header.map_bits : header.bits;
  if (bits == 16 && transparency == Transparency::kept) return 4;
  return bits == 32 ? 4 : 3;
}

// Of 16 bits, five a channel and one that is set where the pixel is transparent.
Colour wide(std::byte low, std::byte high) {
  const int value = std::to_integer<int>(low) | std::to_integer<int>(high) << 8;
  const auto scaled = [&](int shift) {
    return static_cast<std::uint8_t>((value >> shift & 31) * 255 / 31);
  };
  const int is_transparent = value >> 15;
  return {scaled(10), scaled(5), scaled(0),
          static_cast<std::uint8_t>(is_transparent != 0 ? 0 : kOpaque)};
}

class Pixels {
 public:
  // Steps over header, identification and colour map.
  Pixels(const Header& header, int channels, std::span<const std::byte> file)
      : header_(header), channels_(channels), left_(file) {
    colours_.fill({0, 0, 0, kOpaque});
    take(kHeaderBytes + static_cast<std::size_t>(header.id_bytes));
    if (header.kind != kMapped) return;
    const auto bytes = static_cast<std::size_t>(header.map_bits / 8);
    for (int i = 0; i < header.map_count; ++i) {
      const std::span<const std::byte> entry = take(bytes);
      colours_[static_cast<std::size_t>(header.map_first + i)] =
          bytes == 2 ? wide(entry[0], entry[1]) : bgr(entry.data(), bytes);
    }
  }

  std::span<const std::byte> take(std::size_t bytes) { return left_.take(bytes); }

  // Of `count` pixels to channels.
  void unpack(const std::byte* from, int count, std::uint8_t* to) const {
    if (header_.kind == kGrey) return unpack_grey(from, count, to);
    const auto bytes = static_cast<std::size_t>(header_.bits / 8);
    for (int i = 0; i < count; ++i, from += bytes) {
      const Colour colour = header_.kind == kMapped ? colours_[std::to_integer<std::size_t>(*from)]
                            : bytes == 2            ? wide(from[0], from[1])
                                                    : bgr(from, bytes);
      std::copy_n(colour.begin(), 3, to);
      if (channels_ == 4) to[3] = colour[3];
      to += channels_;
    }
  }

 private:
  static Colour bgr(const std::byte* from, std::size_t bytes) {
    const auto value = [&](int at) { return std::to_integer<std::uint8_t>(from[at]); };
    return {value(2), value(1), value(0), bytes == 4 ? value(3) : kOpaque};
  }

  void unpack_grey(const std::byte* from, int count, std::uint8_t* to) const {
    const int samples = header_.bits == 16 ? 2 * count : count;  // with alpha
    for (int i = 0; i < samples; ++i) {
      const int value = std::to_integer<int>(from[header_.bits == 1 ? i / 8 : i]);
      to[i] =
          static_cast<std::uint8_t>(header_.bits == 1 ? (value >> (7 - i % 8) & 1) * 255 : value);
    }
  }

  const Header& header_;
  int channels_;
  Unread left_;
  std::array<Colour, 256> colours_;
};

// One row after the other, in the order of the file. A packet of different pixels may go on in the
// rows that follow; Pillow does not read runs that do.
class Runs {
 public:
  Runs(const Header& header, int channels, Pixels& pixels)
      : pixels_(pixels),
        width_(header.width),
        bytes_(static_cast<std::size_t>(header.bits / 8)),
        channels_(channels) {}

  void read_row(std::uint8_t* to) {
    for (int x = 0; x < width_;) {
      if (left_ == 0) begin(width_ - x);
      const int n = std::min(left_, width_ - x);
      for (int i = 0; i < n; ++i, ++x, to += channels_) {
        pixels_.unpack(at_, 1, to);
        if (!is_run_) at_ += bytes_;
      }
      left_ -= n;
    }
  }

 private:
  void begin(int room) {
    const int packet = std::to_integer<int>(pixels_.take(1)[0]);
    is_run_ = (packet & 0x80) != 0;
    left_ = (packet & 0x7F) + 1;
    if (is_run_ && left_ > room) not_read("with a run that continues in the next row");
    at_ = pixels_.take(is_run_ ? bytes_ : bytes_ * static_cast<std::size_t>(left_)).data();
  }

  Pixels& pixels_;
  int width_;
  std::size_t bytes_;
  int channels_;
  int left_ = 0;  // pixels of the packet
  bool is_run_ = false;
  const std::byte* at_ = nullptr;
};

void turn_row(std::uint8_t* row, int width, int channels) {
  for (int left = 0, right = width - 1; left < right; ++left, --right) {
    std::swap_ranges(row + left * channels, row + (left + 1) * channels, row + right * channels);
  }
}

}  // namespace

bool is_tga(std::span<const std::byte> file) {
  if (file.size() <= kHeaderBytes) return false;
  if (has_signature(file)) return true;
  const Header header = parse(file);
  if (header.map_type > 1 || header.width == 0 || header.height == 0) return false;
  if (header.map_type == 1 && !is_one_of(header.map_bits, {15, 16, 24, 32})) return false;
  if (header.attribute_bits > 8 || header.is_interleaved) return false;
  switch (header.kind) {
    case kMapped: return header.map_type == 1 && is_one_of(header.bits, {8, 15, 16});
    case kTrueColour: return is_one_of(header.bits, {15, 16, 24, 32});
    case kGrey: return is_one_of(header.bits, {1, 8, 16});
    default: return false;
  }
}

RasterHeader tga_header(std::span<const std::byte> file, Transparency transparency) {
  const Header header = readable(file);
  return {header.height, header.width, channels_of(header, transparency)};
}

Raster tga_decode(std::span<const std::byte> file, std::size_t max_bytes,
                  Transparency transparency) {
  const Header header = readable(file);
  const int channels = channels_of(header, transparency);
  Pixels pixels(header, channels, file);
  Runs runs(header, channels, pixels);
  Raster raster = new_raster({header.height, header.width, channels}, max_bytes);
  const std::size_t row_bytes =
      (static_cast<std::size_t>(header.width) * static_cast<std::size_t>(header.bits) + 7) / 8;
  for (int i = 0; i < header.height; ++i) {
    const auto y = static_cast<std::size_t>(header.is_top_down ? i : header.height - 1 - i);
    std::uint8_t* const row = raster.pixels.get() + y * static_cast<std::size_t>(header.width) *
                                                        static_cast<std::size_t>(channels);
    if (header.has_runs) {
      runs.read_row(row);
    } else {
      pixels.unpack(pixels.take(row_bytes).data(), header.width, row);
    }
    if (header.is_right_to_left) turn_row(row, header.width, channels);
  }
  return raster;
}

}  // namespace millrace::detail
