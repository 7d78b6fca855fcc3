// PNG files made from the text of the format (tests/reference/record_png.py): each is read as
// Pillow reads it, or refused by what is wrong with it.

#include <millrace/io/decode.h>

#include "catch.h"
#include "io/recorded.h"
#include "io/scratch.h"

#include <algorithm>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

struct Row {
  std::string file, from, first, second;
};

std::vector<Row> recorded_rows() {
  return recorded("png.csv", [](Fields& next) {
    return Row{next.text(), next.text(), next.text(), next.text()};
  });
}

std::vector<std::byte> png(const std::string& name) {
  return read_file(MILLRACE_TEST_DATA "/io/png/" + name + ".png");
}

// At the image's own size, so that each pixel counts.
std::vector<std::uint8_t> pixels_of(Decoder& decoder, const std::string& name, int channels) {
  const std::vector<std::byte> file = png(name);
  const ImageInfo info = image_info(file, name);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(info.height * info.width * channels));
  decoder.decode(file, name, {pixels.data(), info.height, info.width, channels}, Filter::nearest);
  return pixels;
}

std::string refusal(Decoder& decoder, const std::string& name) {
  std::vector<std::uint8_t> pixels(11 * 13 * 3);
  return error_of([&] {
    decoder.decode(png(name), name, {pixels.data(), 11, 13, 3}, Filter::nearest);
  });
}

}  // namespace

TEST_CASE("PNG of every colour type, depth and order of rows is read as Pillow reads it") {
  Decoder decoder;
  int read = 0;
  for (const Row& row : recorded_rows()) {
    if (row.from == "refused") continue;
    INFO(row.file);
    ++read;
    CHECK(crc_of(pixels_of(decoder, row.file, 3)) == std::stoul(row.first, nullptr, 16));
    CHECK(crc_of(pixels_of(decoder, row.file, 1)) == std::stoul(row.second, nullptr, 16));
  }
  CHECK(read == 80);
}

TEST_CASE("PNG that goes against the text of the format is refused by what is wrong with it") {
  Decoder decoder;
  int refused = 0;
  for (const Row& row : recorded_rows()) {
    if (row.from != "refused") continue;
    INFO(row.file << ", Pillow: " << row.second);
    ++refused;
    CHECK_THAT(refusal(decoder, row.file), Contains(row.first));
  }
  CHECK(refused == 46);
}

TEST_CASE("a PNG palette with fewer colours than its pixels name gives the same black every time") {
  for (int i = 0; i < 3; ++i) {
    Decoder decoder;
    const std::vector<std::uint8_t> pixels = pixels_of(decoder, "palette8_of_1", 3);
    CHECK(std::count(pixels.begin(), pixels.end(), 0) > 400);
  }
}

TEST_CASE("a PNG file of Xcode is named, with what converts it") {
  Decoder decoder;
  CHECK(
      refusal(decoder, "xcode") ==
      "xcode: a PNG file as Xcode writes it for iPhones (CgBI), which is not read; convert it, on "
      "a Mac, with `xcrun pngcrush -revert-iphone-optimizations in.png out.png`");
}

TEST_CASE("a PNG with a palette takes no more memory than it may") {
  const std::vector<std::byte> file = png("palette8");
  std::vector<std::uint8_t> pixels(11 * 13 * 3);
  int read = 0;
  for (std::uint64_t bytes = 0; bytes < 5000; bytes += 50) {
    Decoder decoder({.max_scratch = Bytes{bytes}});
    const std::string error = error_of([&] {
      decoder.decode(file, "a", {pixels.data(), 11, 13, 3}, Filter::nearest);
    });
    if (error.empty()) {
      ++read;
    } else {
      CHECK_THAT(error, Contains("shrink it or raise --memory-budget"));
    }
  }
  CHECK(read > 0);
  CHECK(read < 60);
}

TEST_CASE("the header of a PNG tells its kind of pixels") {
  const auto channels = [](const char* name) { return image_info(png(name), name).channels; };
  CHECK(channels("grey1") == 1);
  CHECK(channels("grey16_transparent") == 1);
  CHECK(channels("palette4_transparent_all") == 3);
  CHECK(channels("grey_alpha16") == 2);
  CHECK(channels("rgba8") == 4);
}
