// Images with alpha on a colour, against Pillow (tests/reference/record_compose.py).

#include <millrace/image/pixels.h>

#include "catch.h"

#include <zlib.h>
#include <fstream>
#include <string>
#include <vector>

using namespace millrace;

namespace {

using Samples = std::vector<std::uint8_t>;

Samples composed(const Samples& source, int from, const Colour& background, int to) {
  const int width = static_cast<int>(source.size()) / from;
  Samples target(static_cast<std::size_t>(width * to));
  compose_row(source.data(), from, background, target.data(), to, width);
  return target;
}

// Each alpha with each sample, as the script has them.
Samples every_pixel(int channels) {
  Samples pixels;
  for (int alpha = 0; alpha < 256; ++alpha) {
    for (int sample = 0; sample < 256; ++sample) {
      const auto add = [&](int value) { pixels.push_back(static_cast<std::uint8_t>(value)); };
      add(sample);
      if (channels == 4) add(255 - sample);
      if (channels == 4) add(sample ^ 85);
      add(alpha);
    }
  }
  return pixels;
}

// Of the results on each background, one behind the other.
std::uint32_t crc_of_all(int from, int to) {
  const Samples pixels = every_pixel(from);
  unsigned long crc = 0;
  for (int b = 0; b < 256; ++b) {
    const auto channel = [&](int shift) { return static_cast<std::uint8_t>((b + shift) % 256); };
    const Samples made = composed(pixels, from, {channel(0), channel(85), channel(170)}, to);
    crc = ::crc32_z(crc, made.data(), made.size());
  }
  return static_cast<std::uint32_t>(crc);
}

}  // namespace

TEST_CASE("pixels on a colour are Pillow's for every alpha, sample and background") {
  std::ifstream table(MILLRACE_TEST_DATA "/image/compose.csv");
  int rows = 0;
  for (std::string line; std::getline(table, line);) {
    const bool is_grey = line.starts_with("LA,");
    if (!is_grey && !line.starts_with("RGBA,")) continue;
    INFO(line);
    ++rows;
    const std::size_t first = line.find(',') + 1;
    CHECK(crc_of_all(is_grey ? 2 : 4, 3) == std::stoul(line.substr(first, 8), nullptr, 16));
    CHECK(crc_of_all(is_grey ? 2 : 4, 1) == std::stoul(line.substr(first + 9), nullptr, 16));
  }
  CHECK(rows == 2);
}

TEST_CASE("a pixel without alpha shows the background and an opaque one itself") {
  CHECK(composed({10, 20, 30, 0, 10, 20, 30, 255}, 4, {1, 2, 3}, 3) ==
        Samples{1, 2, 3, 10, 20, 30});
  CHECK(composed({9, 0, 9, 255}, 2, {1, 2, 3}, 3) == Samples{1, 2, 3, 9, 9, 9});
  CHECK(composed({9, 0, 9, 255}, 2, {255, 0, 0}, 1) == Samples{76, 9});
}

TEST_CASE(
    "half a pixel on a colour is rounded as Pillow rounds it, and grey comes from the result") {
  // Image.alpha_composite(Image.new("RGBA", (1, 1), background), pixel) of Pillow 12.1.1.
  const Samples half = {200, 100, 50, 128};
  CHECK(composed(half, 4, {255, 255, 255}, 3) == Samples{227, 177, 152});
  CHECK(composed(half, 4, {255, 255, 255}, 1) == Samples{189});
  CHECK(composed({200, 100, 50, 127}, 4, {0x12, 0x34, 0x56}, 3) == Samples{109, 76, 68});
  CHECK(composed({200, 100, 50, 127}, 4, {0x12, 0x34, 0x56}, 1) == Samples{85});
  CHECK(composed({1, 254, 77, 1}, 4, {255, 0, 128}, 3) == Samples{254, 1, 128});
}

TEST_CASE("pixels are put on a colour in place where they become smaller") {
  Samples row = {200, 100, 50, 128, 10, 20, 30, 0, 10, 20, 30, 255};
  compose_row(row.data(), 4, {255, 255, 255}, row.data(), 3, 3);
  CHECK(Samples(row.begin(), row.begin() + 9) == Samples{227, 177, 152, 255, 255, 255, 10, 20, 30});
  Samples grey = {9, 0, 9, 255};
  compose_row(grey.data(), 2, {255, 0, 0}, grey.data(), 1, 2);
  CHECK(Samples(grey.begin(), grey.begin() + 2) == Samples{76, 9});
}
