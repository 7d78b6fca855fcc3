#include <millrace/io/detail/bmp_reader.h>

#include <millrace/core/error.h>
#include <millrace/io/detail/bmp_header.h>

#include <algorithm>
#include <cstring>

namespace millrace::detail {
namespace {

[[noreturn]] void fail_short() {
  throw Error("a BMP file that ends early; get it again");
}

// Colours of `width` numbers, each of which number(x) gives. Reads a number before it writes where
// the number may lie.
template <class Number>
void write_colours(const BmpHeader& header, std::uint8_t* row, Number number) {
  const auto at = [&](int x) { return static_cast<std::size_t>(number(x)); };
  const int width = header.width;  // which writing bytes might change, for all the compiler knows
  if (header.is_grey) {
    for (int x = 0; x < width; ++x) row[x] = header.palette[at(x)][0];
    return;
  }
  for (int x = 0; x < width; ++x, row += 3) {
    std::memcpy(row, header.palette[at(x)].data(), 3);
  }
}

void read_indexed(const BmpHeader& header, const std::uint8_t* from, std::uint8_t* row) {
  switch (header.bits) {
    case 1:
      return write_colours(header, row, [=](int x) { return from[x / 8] >> (7 - x % 8) & 1; });
    case 4:
      return write_colours(header, row, [=](int x) { return from[x / 2] >> (x % 2 ? 0 : 4) & 15; });
    default: return write_colours(header, row, [=](int x) { return from[x]; });
  }
}

// Of kBytes a pixel. A template, so that the order of most files is known to the compiler.
template <int kBytes>
void read_bytes(const BmpHeader& header, const std::uint8_t* from, std::uint8_t* row) {
  const int width = header.width;
  if (header.rgb[0] == 2 && header.rgb[1] == 1) {
    for (int x = 0; x < width; ++x, from += kBytes, row += 3) {
      row[0] = from[2];
      row[1] = from[1];
      row[2] = from[0];
    }
    return;
  }
  const auto [red, green, blue] = header.rgb;
  for (int x = 0; x < width; ++x, from += kBytes, row += 3) {
    row[0] = from[red];
    row[1] = from[green];
    row[2] = from[blue];
  }
}

void read_with_alpha(const BmpHeader& header, const std::uint8_t* from, std::uint8_t* row) {
  const auto [red, green, blue] = header.rgb;
  const std::uint8_t alpha = *header.alpha;
  const int width = header.width;
  for (int x = 0; x < width; ++x, from += 4, row += 4) {
    row[0] = from[red];
    row[1] = from[green];
    row[2] = from[blue];
    row[3] = from[alpha];
  }
}

void read_packed(const BmpHeader& header, const std::uint8_t* from, std::uint8_t* row) {
  const auto widened = [](int value, int most) {
    return static_cast<std::uint8_t>((value & most) * 255 / most);
  };
  const bool is_565 = header.coding == BmpCoding::packed565;
  for (int x = 0; x < header.width; ++x, from += 2, row += 3) {
    const int pixel = from[0] | from[1] << 8;
    row[0] = widened(is_565 ? pixel >> 11 : pixel >> 10, 31);
    row[1] = widened(pixel >> 5, is_565 ? 63 : 31);
    row[2] = widened(pixel, 31);
  }
}

void read_row(const BmpHeader& header, const std::uint8_t* from, std::uint8_t* row) {
  if (header.coding == BmpCoding::indexed) return read_indexed(header, from, row);
  if (header.bits == 16) return read_packed(header, from, row);
  if (header.bits == 24) return read_bytes<3>(header, from, row);
  if (header.alpha) return read_with_alpha(header, from, row);
  read_bytes<4>(header, from, row);
}

// The numbers of colours in runs, a row at a time. A run that goes over the edge of its row is cut,
// as Pillow does. What Pillow misreads is refused: it takes the jump from the wrong bytes, does not
// count a row that is empty, and loses the last pixel of an odd run that RLE4 lists.
class Runs {
 public:
  Runs(const BmpHeader& header, std::span<const std::byte> file)
      : data_(reinterpret_cast<const std::uint8_t*>(file.data())),
        size_(file.size()),
        at_(header.pixels_at),
        width_(static_cast<std::size_t>(header.width)),
        is_rle4_(header.coding == BmpCoding::rle4),
        is_at_odd_place_(header.pixels_at % 2 != 0) {}

  /// Requires: `row` holds zeros, which is what a row that ends early goes on with.
  void read_row(std::uint8_t* row, bool is_last) {
    for (std::size_t x = 0; x < width_ || !is_last;) {
      const std::uint8_t* const pair = take(2);
      const std::size_t length = pair[0];
      if (length > 0) {
        x += repeat(pair[1], row + x, std::min(length, width_ - x));
      } else if (pair[1] > 2) {
        if (pair[1] > width_ - x) {
          throw Error("a damaged BMP file: its pixels go over the edge; get it again");
        }
        x += list(pair[1], row + x);
      } else {
        if (pair[1] == 0 && x > 0) return;
        refuse_bmp(pair[1] == 1 ? "that leaves out its last rows"
                                : "whose runs leave out pixels or rows");
      }
    }
  }

 private:
  static std::uint8_t half(std::uint8_t pair, std::size_t i) {
    return static_cast<std::uint8_t>(i % 2 == 0 ? pair >> 4 : pair & 15);
  }

  const std::uint8_t* take(std::size_t bytes) {
    if (at_ > size_ || size_ - at_ < bytes) fail_short();
    at_ += bytes;
    return data_ + (at_ - bytes);
  }

  std::size_t repeat(std::uint8_t value, std::uint8_t* to, std::size_t n) const {
    if (!is_rle4_) {
      std::fill_n(to, n, value);
    } else {
      for (std::size_t i = 0; i < n; ++i) {
        to[i] = half(value, i);
      }
    }
    return n;
  }

  std::size_t list(std::size_t n, std::uint8_t* to) {
    // Lists end at even places: of the file to Pillow, of the pixels to others.
    if (is_at_odd_place_) refuse_bmp("whose runs begin at an odd place");
    if (is_rle4_ && n % 2 != 0) refuse_bmp("with odd runs in RLE4");
    if (is_rle4_) {
      const std::uint8_t* const from = take(n / 2);
      for (std::size_t i = 0; i < n; ++i) {
        to[i] = half(from[i / 2], i);
      }
    } else {
      std::copy_n(take(n), n, to);
    }
    at_ += at_ % 2;
    return n;
  }

  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_;
  std::size_t width_;
  bool is_rle4_;
  bool is_at_odd_place_;
};

// With alpha where it is to be kept.
BmpHeader read_header(std::span<const std::byte> file, Transparency transparency) {
  BmpHeader header = read_bmp_header(file);
  if (transparency == Transparency::dropped) header.alpha.reset();
  return header;
}

RasterHeader raster_header_of(const BmpHeader& header) {
  return {header.height, header.width, header.is_grey ? 1 : header.alpha ? 4 : 3};
}

}  // namespace

RasterHeader bmp_header(std::span<const std::byte> file, Transparency transparency) {
  return raster_header_of(read_header(file, transparency));
}

Raster bmp_decode(std::span<const std::byte> file, std::size_t max_bytes,
                  Transparency transparency) {
  const BmpHeader header = read_header(file, transparency);
  const bool is_runs = header.coding == BmpCoding::rle4 || header.coding == BmpCoding::rle8;
  const auto height = static_cast<std::size_t>(header.height);
  const auto width = static_cast<std::size_t>(header.width);
  const std::size_t bits = width * static_cast<std::size_t>(header.bits);
  const std::size_t stride = (bits + 31) / 32 * 4;  // rows end at multiples of 4, the last need not
  const std::size_t least = is_runs ? 2 * height : (height - 1) * stride + (bits + 7) / 8;
  if (header.pixels_at > file.size() || file.size() - header.pixels_at < least) fail_short();

  Raster image = new_raster(raster_header_of(header), max_bytes);
  const auto channels = static_cast<std::size_t>(image.header.channels);
  const auto* const from = reinterpret_cast<const std::uint8_t*>(file.data()) + header.pixels_at;
  Runs runs(header, file);
  for (std::size_t y = 0; y < height; ++y) {
    const std::size_t place = header.is_top_down ? y : height - 1 - y;
    std::uint8_t* const row = image.pixels.get() + place * width * channels;
    if (is_runs) {
      // The numbers lie at the end of the row, which the colours reach after they are read.
      std::uint8_t* const numbers = row + (channels - 1) * width;
      runs.read_row(numbers, y + 1 == height);
      write_colours(header, row, [=](int x) { return numbers[x]; });
    } else {
      read_row(header, from + y * stride, row);
    }
  }
  return image;
}

}  // namespace millrace::detail
