#include <millrace/io/decode.h>

#include "catch.h"
#include "io/recorded.h"
#include "io/scratch.h"

using namespace millrace;
using namespace millrace::test;

namespace {

struct Case {
  std::string file, filter;
  int channels = 0, height = 0, width = 0;
  std::uint32_t crc = 0;
};

std::vector<Case> recorded_cases(const std::string& table) {
  return recorded(table, [](Fields& next) {
    return Case{next.text(), next.text(), next.number(), next.number(), next.number(), next.crc()};
  });
}

// Decodes every file of a table to the size that it says and compares.
void check_all(const std::vector<Case>& cases, Decoder& decoder) {
  for (const Case& one : cases) {
    std::vector<std::uint8_t> target(
        static_cast<std::size_t>(one.height * one.width * one.channels));
    decoder.decode(image(one.file), one.file, {target.data(), one.height, one.width, one.channels},
                   filter_from_name(one.filter));
    INFO(one.file << ' ' << one.filter << ' ' << one.channels << " channels");
    CHECK(crc_of(target) == one.crc);
  }
}

}  // namespace

TEST_CASE("decoding equals Pillow to the byte for every kind of file, grey and colour") {
  const std::vector<Case> cases = recorded_cases("decode.csv");
  REQUIRE(cases.size() == 138);
  Decoder decoder;
  check_all(cases, decoder);
}

TEST_CASE("a large JPEG is decoded smaller for a small target, as Pillow does for thumbnails") {
  const std::vector<Case> cases = recorded_cases("large_jpeg.csv");
  REQUIRE(cases.size() == 288);
  Decoder decoder({.large_jpeg = 1000});  // pixels, of the 61 x 47 that the files have
  check_all(cases, decoder);
}

TEST_CASE("what is turned upright is resized afterwards, as by Pillow, and told by its header") {
  const std::vector<Case> cases = recorded_cases("turned.csv");
  REQUIRE(cases.size() == 336);
  Decoder decoder({.exif_orientation = true});
  Decoder stored;
  int unequal = 0;
  for (Case one : cases) {
    one.file.insert(0, "../orientation/");
    check_all({one}, decoder);
    std::vector<std::uint8_t> target(
        static_cast<std::size_t>(one.height * one.width * one.channels));
    stored.decode(image(one.file), one.file, {target.data(), one.height, one.width, one.channels},
                  filter_from_name(one.filter));
    unequal += crc_of(target) == one.crc ? 0 : 1;
  }
  // A decoder that is not told so leaves all but one of eight as they are, but turns the 24 TIFFs.
  CHECK(unequal == (336 - 24 * 6) / 8 * 7);
  CHECK(image_info(image("../orientation/mm_6.jpg"), "6").orientation == 6);
}

TEST_CASE("a JPEG that is not large, and one that is not averaged, are decoded at their size") {
  std::vector<std::uint8_t> whole(5 * 7 * 3), target(5 * 7 * 3);
  const auto decode = [&](std::vector<std::uint8_t>& into, std::uint64_t large, Filter filter) {
    Decoder decoder({.large_jpeg = large});
    decoder.decode(image("420.jpg"), "a.jpg", {into.data(), 5, 7, 3}, filter);
  };
  decode(whole, 47 * 61, Filter::bilinear);
  decode(target, DecoderOptions{}.large_jpeg, Filter::bilinear);
  CHECK(target == whole);
  decode(target, 47 * 61 - 1, Filter::bilinear);
  CHECK(target != whole);
  decode(whole, DecoderOptions{}.large_jpeg, Filter::nearest);
  decode(target, 1, Filter::nearest);
  CHECK(target == whole);
}

TEST_CASE("the header tells format and size without decoding") {
  const auto info = [](const char* name) { return image_info(image(name), name); };
  for (const char* name : {"420.jpg", "progressive.jpg", "palette.gif", "rgb.bmp", "rgb.tga",
                           "rgb.ppm", "rgb.psd", "png_called.jpg", "rgb16.png"}) {
    INFO(name);
    CHECK(info(name).height == 47);
    CHECK(info(name).width == 61);
  }
  CHECK(info("png_called.jpg").format == std::string("PNG"));
  CHECK(info("grey.jpg").format == std::string("JPEG"));
  CHECK(info("grey.jpg").channels == 1);
  CHECK(info("cmyk.jpg").channels == 4);
  CHECK(info("grey_alpha.png").channels == 2);
  CHECK(info("rgb.psd").format == std::string("PSD"));
  CHECK_THROWS_WITH(image_info({}, "empty.png"),
                    "empty.png: the file is empty; remove it or get it again");
}

TEST_CASE("a decoder is as good after an error as before") {
  Decoder decoder;
  std::vector<std::uint8_t> first(12 * 12 * 3), second(12 * 12 * 3);
  const ImageView a(first.data(), 12, 12, 3), b(second.data(), 12, 12, 3);
  const std::vector<std::byte> good = image("422.jpg");
  const std::vector<std::byte> png = image("rgb.png");
  decoder.decode(good, "good", a, Filter::bicubic);
  CHECK_THROWS_AS(decoder.decode(std::span(good).first(600), "cut", b, Filter::bicubic), Error);
  CHECK_THROWS_AS(decoder.decode(std::span(png).first(99), "cut", b, Filter::box), Error);
  decoder.decode(good, "good", b, Filter::bicubic);
  CHECK(first == second);
}

TEST_CASE("a decoder keeps its buffers, and they do not grow with the number of files") {
  Decoder decoder;
  std::vector<std::uint8_t> target(16 * 16 * 3);
  const auto pass = [&] {
    for (const char* name : {"420.jpg", "rgb.png", "grey.jpg", "cmyk.jpg"}) {
      decoder.decode_file(MILLRACE_TEST_DATA "/io/pictures/" + std::string(name),
                          {target.data(), 16, 16, 3}, Filter::bilinear);
    }
  };
  pass();
  const Bytes before = decoder.scratch_bytes();
  for (int i = 0; i < 5; ++i) pass();
  CHECK(decoder.scratch_bytes() == before);
}
