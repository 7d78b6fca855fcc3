#include <millrace/io/detail/psd_reader.h>

#include <millrace/core/error.h>
#include <millrace/image/pixels.h>
#include <millrace/io/detail/unread.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

namespace millrace::detail {
namespace {

constexpr std::uint32_t kMostRows = 30'000;  // and columns; larger ones are PSB files
constexpr std::size_t kColourBytes = 768;    // of an indexed file

[[noreturn]] void not_read(const std::string& kind) {
  throw Error(concat("a ", kind, ", which is not read; convert it with `convert 'in.psd[0]' ",
                     "out.png` of ImageMagick"));
}

// With big-endian numbers.
class Reader : public Unread {
 public:
  using Unread::Unread;

  std::uint32_t number(std::size_t bytes) {
    std::uint32_t value = 0;
    for (const std::byte one : take(bytes)) {
      value = value << 8 | std::to_integer<std::uint32_t>(one);
    }
    return value;
  }
  // A part of the file, which begins with its length.
  std::span<const std::byte> part() { return take(number(4)); }
};

enum class Mode : std::uint8_t { grey, indexed, rgb, cmyk };

struct Header {
  int height = 0;
  int width = 0;
  Mode mode = Mode::grey;
  std::uint32_t stored_planes = 0;
  int planes = 0;  // that are read, the first ones
  bool is_packed = false;
  std::span<const std::byte> colours;  // of an indexed file: all reds, greens, blues
  std::span<const std::byte> data;
};

Mode mode_of(std::uint32_t number) {
  switch (number) {
    case 0: not_read("PSD file of black and white");  // Pillow has the two exchanged
    case 1:
    case 8: return Mode::grey;  // 8: duotone
    case 2: return Mode::indexed;
    case 3: return Mode::rgb;
    case 4: return Mode::cmyk;
    case 7: not_read("PSD file of spot colours");  // Pillow shows the first of them
    case 9: not_read("PSD file of Lab colours");
    default: not_read(concat("PSD file of colour mode ", number));
  }
}

int planes_of(Mode mode, std::uint32_t stored) {
  switch (mode) {
    case Mode::grey:
    case Mode::indexed: return 1;
    case Mode::rgb: return stored == 4 ? 4 : 3;
    case Mode::cmyk: return 4;
  }
  return 0;
}

int channels_of(const Header& header) {
  if (header.mode == Mode::grey) return 1;
  return header.mode == Mode::rgb ? header.planes : 3;
}

// Pillow goes on where the last resource ends, wherever the part does.
void check_resources(std::span<const std::byte> part) {
  Reader left(part);
  const auto take = [&](std::size_t bytes) {
    if (bytes > left.size()) is_damaged("its image resources");
    return left.take(bytes);
  };
  const auto number = [&](std::size_t bytes) { return Reader(take(bytes)).number(bytes); };
  while (left.size() > 0) {
    take(6);  // signature, kind
    const std::size_t name = number(1);
    take(name + (name + 1) % 2);  // to an even number with its length
    const std::size_t data = number(4);
    take(data);
    take(data % 2);
  }
}

Header parse(std::span<const std::byte> file) {
  Reader left(file);
  left.take(4);
  const std::uint32_t version = left.number(2);
  if (version == 2) not_read("PSB file, a large PSD file");
  if (version != 1) is_damaged("its version");
  left.take(6);
  Header header;
  header.stored_planes = left.number(2);
  const std::uint32_t height = left.number(4);
  const std::uint32_t width = left.number(4);
  if (height == 0 || width == 0 || height > kMostRows || width > kMostRows) is_damaged("its size");
  header.height = static_cast<int>(height);
  header.width = static_cast<int>(width);
  const std::uint32_t bits = left.number(2);
  header.mode = mode_of(left.number(2));
  if (bits != 8) not_read(concat("PSD file of ", bits, "-bit samples"));
  header.planes = planes_of(header.mode, header.stored_planes);
  if (header.stored_planes < static_cast<std::uint32_t>(header.planes)) {
    is_damaged("too few channels");
  }
  header.colours = left.part();
  if (header.mode == Mode::indexed && header.colours.size() != kColourBytes) {
    is_damaged("its colour table");
  }
  check_resources(left.part());
  left.part();  // layers
  const std::uint32_t packing = left.number(2);
  if (packing == 2 || packing == 3) not_read("PSD file packed with ZIP");
  if (packing > 3) is_damaged("its way of packing");
  header.is_packed = packing == 1;
  if (header.is_packed && header.stored_planes != static_cast<std::uint32_t>(header.planes)) {
    // Pillow takes the table of their rows for shorter than it is.
    not_read("packed PSD file of additional channels");
  }
  header.data = left.take(left.size());
  return header;
}

// One row of PackBits: a packet goes on to the end of the row at most.
void unpack_row(std::span<const std::byte> packed, std::uint8_t* to, int width, int stride) {
  Reader left(packed);
  for (int x = 0; x < width;) {
    if (left.size() == 0) is_damaged("a row that is too short");
    const auto packet = static_cast<int>(left.number(1));
    if (packet == 128) continue;
    const bool is_run = packet > 128;
    const int count = is_run ? 257 - packet : packet + 1;
    const std::size_t bytes = is_run ? 1 : static_cast<std::size_t>(count);
    if (bytes > left.size()) is_damaged("a row that is too short");
    const std::span<const std::byte> samples = left.take(bytes);
    for (int i = 0; i < count && x < width; ++i, ++x, to += stride) {
      *to = std::to_integer<std::uint8_t>(samples[is_run ? 0 : static_cast<std::size_t>(i)]);
    }
  }
  while (left.size() > 0) {
    if (left.number(1) != 128) is_damaged("a row that is too long");
  }
}

// The planes, one after the other, into pixels of `stride` samples.
void read_planes(const Header& header, std::uint8_t* pixels, int stride) {
  const std::size_t rows =
      static_cast<std::size_t>(header.planes) * static_cast<std::size_t>(header.height);
  const auto width = static_cast<std::size_t>(header.width);
  Reader data(header.data);
  Reader lengths(header.is_packed ? data.take(2 * rows) : std::span<const std::byte>());
  for (int plane = 0; plane < header.planes; ++plane) {
    std::uint8_t* to = pixels + plane;
    for (int y = 0; y < header.height; ++y) {
      if (header.is_packed) {
        unpack_row(data.take(lengths.number(2)), to, header.width, stride);
        to += width * static_cast<std::size_t>(stride);
        continue;
      }
      for (const std::byte sample : data.take(width)) {
        *to = std::to_integer<std::uint8_t>(sample);
        to += stride;
      }
    }
  }
}

// Indices lie where the reds will.
void colour(const Header& header, std::uint8_t* pixels) {
  const std::size_t count =
      static_cast<std::size_t>(header.height) * static_cast<std::size_t>(header.width);
  for (std::size_t i = 0; i < count; ++i, pixels += 3) {
    const std::size_t index = pixels[0];
    for (std::size_t channel = 0; channel < 3; ++channel) {
      pixels[channel] = std::to_integer<std::uint8_t>(header.colours[256 * channel + index]);
    }
  }
}

}  // namespace

RasterHeader psd_header(std::span<const std::byte> file) {
  const Header header = parse(file);
  return {header.height, header.width, channels_of(header)};
}

Raster psd_decode(std::span<const std::byte> file, std::size_t max_bytes) {
  const Header header = parse(file);
  const int channels = channels_of(header);
  const int stride = std::max(channels, header.planes);  // CMYK needs a fourth for a while
  Raster raster = new_raster({header.height, header.width, stride}, max_bytes);
  std::uint8_t* const pixels = raster.pixels.get();
  read_planes(header, pixels, stride);
  if (header.mode == Mode::indexed) colour(header, pixels);
  if (header.mode == Mode::cmyk) {
    const auto width = static_cast<std::size_t>(header.width);
    for (std::size_t y = 0; y < static_cast<std::size_t>(header.height); ++y) {
      convert_cmyk_row(pixels + 4 * width * y, true, pixels + 3 * width * y, header.width);
    }
  }
  raster.header.channels = channels;
  return raster;
}

}  // namespace millrace::detail
