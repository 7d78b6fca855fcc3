#include <millrace/io/detail/pnm_reader.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>
#include <vector>

namespace millrace::detail {
namespace {

constexpr std::string_view kWhiteSpace = " \t\n\v\f\r";

[[noreturn]] void fail_short() {
  throw Error("a PNM file that ends early; get it again");
}

[[noreturn]] void fail(const char* what) {
  throw Error(concat("a damaged PNM file: ", what, "; get it again"));
}

// Numbers between white space. A comment, from # to the end of its line, counts as nothing, even in
// the middle of a number: so the format's text has it.
class Text {
 public:
  explicit Text(std::string_view file) : file_(file) {}

  std::uint64_t number() {
    char c = first();
    std::uint64_t value = 0;
    for (int digits = 0; !is_space(c); ++digits) {
      constexpr int kMostDigits = 10;
      if (c < '0' || c > '9') fail("it has something else where a number belongs");
      if (digits == kMostDigits) fail("it has a number of more than 10 digits");
      value = 10 * value + static_cast<std::uint64_t>(c - '0');
      if (!next(c)) break;
    }
    return value;
  }

  /// A sample of P1, which needs no white space around it.
  bool bit() {
    const char c = first();
    if (c != '0' && c != '1') fail("it has something else where 0 or 1 belongs");
    return c == '1';
  }

  /// Behind the white space that ended the last number.
  [[nodiscard]] std::size_t at() const { return at_; }

 private:
  static bool is_space(char c) { return kWhiteSpace.find(c) != std::string_view::npos; }

  // The next character that is not in a comment.
  bool next(char& c) {
    while (at_ < file_.size()) {
      c = file_[at_++];
      if (c != '#') return true;
      at_ = file_.find_first_of("\r\n", at_);
      at_ = at_ == std::string_view::npos ? file_.size() : at_ + 1;
    }
    return false;
  }

  char first() {
    for (char c = 0; next(c);) {
      if (!is_space(c)) return c;
    }
    fail_short();
  }

  std::string_view file_;
  std::size_t at_ = 2;  // behind the kind
};

struct Header {
  RasterHeader image{};
  bool is_plain = false;
  bool is_bits = false;
  std::uint32_t most = 1;  // that a sample may be
};

Header read_header(std::string_view file, Text& text) {
  if (file.size() < 2) fail_short();
  const char kind = file[1];
  Header header{.is_plain = kind <= '3', .is_bits = kind == '1' || kind == '4'};
  const std::uint64_t width = text.number();
  const std::uint64_t height = text.number();
  constexpr std::uint64_t kMost = std::numeric_limits<int>::max();
  if (width == 0 || height == 0 || width > kMost || height > kMost) {
    fail("its header claims pixels that cannot be");
  }
  header.image = {static_cast<int>(height), static_cast<int>(width),
                  kind == '3' || kind == '6' ? 3 : 1};
  if (header.is_bits) return header;
  const std::uint64_t most = text.number();
  if (most == 0 || most > 65535) fail("the maximum of its samples is not 1 to 65535");
  header.most = static_cast<std::uint32_t>(most);
  return header;
}

// In Pillow's arithmetic: halves go to the even neighbour.
std::uint8_t scaled(std::uint32_t value, std::uint32_t most) {
  if (value >= most) return 255;
  return static_cast<std::uint8_t>(std::nearbyint(static_cast<double>(value) / most * 255.0));
}

void read_plain(const Header& header, Text& text, std::span<std::uint8_t> samples) {
  for (std::uint8_t& sample : samples) {
    if (header.is_bits) {
      sample = text.bit() ? 0 : 255;
    } else {
      const std::uint64_t value = text.number();
      if (value > header.most) fail("it has a sample above its maximum");
      sample = scaled(static_cast<std::uint32_t>(value), header.most);
    }
  }
}

void read_bits(const std::uint8_t* from, const RasterHeader& image, std::uint8_t* to) {
  const int width = image.width;
  const int stride = (width - 1) / 8 + 1;
  for (int y = 0; y < image.height; ++y, from += stride, to += width) {
    for (int x = 0; x < width; ++x) {
      to[x] = (from[x / 8] >> (7 - x % 8) & 1) != 0 ? 0 : 255;
    }
  }
}

// By a table where that is less work.
template <class Value>
void read_scaled(Value value_at, std::uint32_t most, std::span<std::uint8_t> to) {
  if (to.size() <= most) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = scaled(value_at(i), most);
    return;
  }
  std::vector<std::uint8_t> table(most + 1);
  for (std::uint32_t value = 0; value <= most; ++value) table[value] = scaled(value, most);
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = table[std::min(value_at(i), most)];
}

void read_raw(const Header& header, const std::uint8_t* from, std::span<std::uint8_t> samples) {
  if (header.is_bits) {
    read_bits(from, header.image, samples.data());
  } else if (header.most == 255) {
    std::memcpy(samples.data(), from, samples.size());
  } else if (header.most < 256) {
    read_scaled([=](std::size_t i) { return std::uint32_t{from[i]}; }, header.most, samples);
  } else {
    read_scaled([=](std::size_t i) { return std::uint32_t{from[2 * i]} << 8 | from[2 * i + 1]; },
                header.most, samples);
  }
}

std::uint64_t least_bytes(const Header& header) {
  const auto height = static_cast<std::uint64_t>(header.image.height);
  const auto width = static_cast<std::uint64_t>(header.image.width);
  const auto samples = width * height * static_cast<std::uint64_t>(header.image.channels);
  if (header.is_plain) return header.is_bits ? samples : 2 * samples - 1;
  if (header.is_bits) return height * ((width + 7) / 8);
  return header.most < 256 ? samples : 2 * samples;
}

std::string_view text_of(std::span<const std::byte> file) {
  return {reinterpret_cast<const char*>(file.data()), file.size()};
}

}  // namespace

bool is_pnm(std::span<const std::byte> file) noexcept {
  const std::string_view text = text_of(file);
  if (text.size() < 3 || text[0] != 'P' || text[1] < '1' || text[1] > '6') return false;
  return text[2] == '#' || kWhiteSpace.find(text[2]) != std::string_view::npos;
}

RasterHeader pnm_header(std::span<const std::byte> file) {
  Text text(text_of(file));
  return read_header(text_of(file), text).image;
}

Raster pnm_decode(std::span<const std::byte> file, std::size_t max_bytes) {
  Text text(text_of(file));
  const Header header = read_header(text_of(file), text);
  if (file.size() - text.at() < least_bytes(header)) fail_short();
  Raster image = new_raster(header.image, max_bytes);
  const std::span samples(image.pixels.get(), static_cast<std::size_t>(header.image.height) *
                                                  static_cast<std::size_t>(header.image.width) *
                                                  static_cast<std::size_t>(header.image.channels));
  if (header.is_plain) {
    read_plain(header, text, samples);
  } else {
    read_raw(header, reinterpret_cast<const std::uint8_t*>(file.data()) + text.at(), samples);
  }
  return image;
}

}  // namespace millrace::detail
