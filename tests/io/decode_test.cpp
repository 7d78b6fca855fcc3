#include <millrace/io/decode.h>

#include "catch.h"
#include "io/recorded.h"
#include "io/scratch.h"

#include <algorithm>
#include <array>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

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

std::string decode_error(std::span<const std::byte> file, std::string_view name = "a.jpg",
                         DecoderOptions options = {}) {
  std::vector<std::uint8_t> target(8 * 8 * 3);
  Decoder decoder(options);
  return error_of([&] { decoder.decode(file, name, {target.data(), 8, 8, 3}, Filter::bilinear); });
}

std::string decode_error(std::string_view text) {
  return decode_error(std::as_bytes(std::span(text)));
}

void append_png_part(std::string& file, const std::string& type_and_data) {
  const auto number = [&](std::uint64_t value) {
    for (const int shift : {24, 16, 8, 0}) file += static_cast<char>(value >> shift);
  };
  number(type_and_data.size() - 4);
  file += type_and_data;
  number(::crc32_z(0, reinterpret_cast<const Bytef*>(type_and_data.data()), type_and_data.size()));
}

// A grey PNG of 2 x 2 pixels that unpacks to `rows`; `change` is added to its last checksum byte.
std::string grey_png(const std::string& rows, char change = 0) {
  uLongf size = ::compressBound(rows.size());
  std::string data(size, '\0');
  ::compress(reinterpret_cast<Bytef*>(data.data()), &size,
             reinterpret_cast<const Bytef*>(rows.data()), rows.size());
  data.resize(size);
  data.back() = static_cast<char>(data.back() + change);
  std::string file = "\x89PNG\r\n\x1A\n";
  append_png_part(file, std::string("IHDR\0\0\0\2\0\0\0\2\x08\0\0\0\0", 17));
  append_png_part(file, "IDAT" + data);
  append_png_part(file, "IEND");
  return file;
}

// Decodes every file of a table to the size that it says and compares.
void check_all(const std::vector<Case>& cases, Decoder& decoder) {
  for (const Case& one : cases) {
    std::vector<std::uint8_t> target(
        static_cast<std::size_t>(one.height * one.width * one.channels));
    decoder.decode(picture(one.file), one.file,
                   {target.data(), one.height, one.width, one.channels},
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
    stored.decode(picture(one.file), one.file, {target.data(), one.height, one.width, one.channels},
                  filter_from_name(one.filter));
    unequal += crc_of(target) == one.crc ? 0 : 1;
  }
  // A decoder that is not told so leaves all but one of eight as they are, but turns the 24 TIFFs.
  CHECK(unequal == (336 - 24 * 6) / 8 * 7);
  CHECK(image_info(picture("../orientation/mm_6.jpg"), "6").orientation == 6);
}

TEST_CASE("a JPEG that is not large, and one that is not averaged, are decoded at their size") {
  std::vector<std::uint8_t> whole(5 * 7 * 3), target(5 * 7 * 3);
  const auto decode = [&](std::vector<std::uint8_t>& into, std::uint64_t large, Filter filter) {
    Decoder decoder({.large_jpeg = large});
    decoder.decode(picture("420.jpg"), "a.jpg", {into.data(), 5, 7, 3}, filter);
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
  const auto info = [](const char* name) { return image_info(picture(name), name); };
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

TEST_CASE("a JPEG that ends early is an error wherever it is cut") {
  const std::vector<std::byte> whole = picture("420.jpg");
  for (const std::size_t length :
       {std::size_t{3}, std::size_t{100}, whole.size() / 2, whole.size() - 40}) {
    const std::string error = decode_error(std::span(whole).first(length), "cats/7.jpg");
    INFO(error);
    CHECK(error.starts_with("cats/7.jpg: damaged JPEG: "));
  }
  const std::vector<std::byte> progressive = picture("progressive.jpg");
  CHECK(decode_error(std::span(progressive).first(progressive.size() / 2)) ==
        "a.jpg: damaged JPEG: Premature end of JPEG file; get it again");
}

TEST_CASE("a JPEG whose data stop in the middle and that then ends properly is an error too") {
  std::vector<std::byte> file = picture("420.jpg");
  file.resize(file.size() * 2 / 3);
  file.push_back(std::byte{0xFF});
  file.push_back(std::byte{0xD9});
  CHECK(decode_error(file).starts_with("a.jpg: damaged JPEG: "));
}

TEST_CASE("bytes after the end of a JPEG are tolerated, as cameras append previews") {
  std::vector<std::byte> file = picture("420.jpg");
  file.resize(file.size() + 1000, std::byte{42});
  CHECK(decode_error(file).empty());
}

TEST_CASE("kinds of JPEG that are not read are named, and are not called damaged") {
  const std::vector<std::byte> whole = picture("420.jpg");
  // The part that tells kind and depth: FF C0, its length, bits a sample.
  const std::array<std::byte, 3> frame = {std::byte{0xFF}, std::byte{0xC0}, std::byte{0}};
  const auto at = std::search(whole.begin(), whole.end(), frame.begin(), frame.end());
  REQUIRE(at != whole.end());
  const auto with = [&](std::ptrdiff_t offset, int value) {
    std::vector<std::byte> file = whole;
    file[static_cast<std::size_t>(at - whole.begin() + offset)] = static_cast<std::byte>(value);
    return decode_error(file);
  };
  CHECK(with(4, 12) ==
        "a.jpg: a JPEG file of a kind that is not read (Unsupported JPEG data precision 12); "
        "convert it with `djpeg in.jpg > out.ppm` of libjpeg-turbo 3");
  for (const int kind : {0xC5, 0xC6, 0xC7, 0xCD}) {
    INFO(kind);
    CHECK_THAT(with(1, kind), Contains("of a kind that is not read (Unsupported JPEG process"));
  }
}

TEST_CASE("other formats that end early are errors") {
  for (const char* name : {"rgb.png", "rgb.bmp", "rgb.tga", "grey_rle.tga", "rgb.ppm", "grey.pgm",
                           "rgb.psd", "palette.gif"}) {
    const std::vector<std::byte> whole = picture(name);
    for (const std::size_t length : {whole.size() / 2, whole.size() - whole.size() / 10}) {
      INFO(name << " cut to " << length << " of " << whole.size());
      CHECK_FALSE(decode_error(std::span(whole).first(length), name).empty());
    }
  }
}

TEST_CASE("a PNG with a damaged part is an error, not noise") {
  std::vector<std::byte> file = picture("rgb.png");
  file[file.size() / 2] ^= std::byte{1};
  CHECK(decode_error(file, "x.png") ==
        "x.png: a damaged PNG file: the checksum of its part IDAT is wrong; get it again");
}

TEST_CASE(
    "a PNG whose pixels are not what was packed is an error, with every part's checksum right") {
  const std::string rows("\0ab\0cd", 6);
  CHECK(decode_error(grey_png(rows)).empty());
  CHECK(decode_error(grey_png(rows, 1)) == "a.jpg: it is damaged (bad zlib data); get it again");
  CHECK(decode_error(grey_png(rows.substr(0, 4))) ==
        "a.jpg: it is damaged (not enough pixels); get it again");
}

TEST_CASE("a PNG that unpacks to more than its pixels takes no more memory than it may") {
  const std::string_view much =
      "a.jpg: decoding it takes more than the 64 KiB that a picture may; ";
  const auto error = [](std::size_t bytes) {
    const std::string file = grey_png(std::string(bytes, '\0'));
    return decode_error(std::as_bytes(std::span(file)), "a.jpg", {.max_scratch = 64_KiB});
  };
  CHECK(error(100).empty());
  CHECK(error(10'000'000).starts_with(much));
}

TEST_CASE("what is no picture is named as what it looks like") {
  CHECK(decode_error("") == "a.jpg: the file is empty; remove it or get it again");
  CHECK(decode_error("<!DOCTYPE html><html>") ==
        "a.jpg: not a picture: it begins with the text '<!DOCTYPE html><'; remove it");
  CHECK(decode_error(std::string_view("\0\1\2\3", 4)) ==
        "a.jpg: not a picture: it begins with the bytes 00 01 02 03; remove it");
}

TEST_CASE("formats that are not read are named with the program that converts them") {
  using namespace std::string_view_literals;
  CHECK(decode_error("\0\0\0\x18"
                     "ftypheic\0\0\0\0"sv) ==
        "a.jpg: a HEIC file, which is not read; convert it with `heif-convert in.heic out.jpg`");
  CHECK(decode_error("\0\0\0\x18"
                     "ftypavif\0\0\0\0"sv) ==
        "a.jpg: an AVIF file, which is not read; convert it with `avifdec in.avif out.png`");
  CHECK(decode_error("<svg xmlns='http://www.w3.org/2000/svg'>"sv)
            .starts_with("a.jpg: an SVG file, "));
  CHECK(decode_error("%PDF-1.7\n"sv).find("pdftoppm") != std::string::npos);
  CHECK(decode_error("P7\nWIDTH 2\nHEIGHT 2\n"sv).find("pamtopng") != std::string::npos);
}

TEST_CASE("pictures beyond the limits are refused from their header") {
  CHECK(decode_error(picture("420.jpg"), "big.jpg", {.max_pixels = 2000}) ==
        "big.jpg: 61x47 pixels are more than the 2000 that a picture may have; shrink it or raise "
        "--max-image-pixels");
  CHECK(decode_error(picture("rgb.png"), "big.png", {.max_scratch = 4_KiB}) ==
        "big.png: decoding it takes 8.4 KiB, more than the 4 KiB that a picture may; shrink it or "
        "raise --memory-budget");
  CHECK(decode_error(picture("progressive.jpg"), "big.jpg", {.max_scratch = 4_KiB})
            .starts_with("big.jpg: decoding it takes "));
  CHECK(decode_error(picture("420.jpg"), "big.jpg", {.max_scratch = 0_B}).empty());
}

TEST_CASE("a PNG that claims 65,000 by 65,000 pixels takes no memory for them") {
  std::vector<std::byte> file = picture("rgb.png");
  for (const std::size_t at : {16U, 20U}) {
    file[at] = file[at + 1] = std::byte{0};
    file[at + 2] = std::byte{0xFD};
    file[at + 3] = std::byte{0xE8};
  }
  const auto sum = ::crc32_z(0, reinterpret_cast<const Bytef*>(file.data() + 12), 17);
  for (std::size_t i = 0; i < 4; ++i) file[29 + i] = static_cast<std::byte>(sum >> (24 - 8 * i));
  CHECK(decode_error(file, "bomb.png") ==
        "bomb.png: 65000x65000 pixels are more than the 178956970 that a picture may have; shrink "
        "it or raise --max-image-pixels");
  CHECK(decode_error(file, "bomb.png",
                     {.max_pixels = UINT64_MAX, .max_scratch = Bytes{UINT64_MAX}}) ==
        "bomb.png: 65000x65000 pixels are more than a PNG file may have here; shrink it");
}

TEST_CASE("a decoder is as good after an error as before") {
  Decoder decoder;
  std::vector<std::uint8_t> first(12 * 12 * 3), second(12 * 12 * 3);
  const ImageView a(first.data(), 12, 12, 3), b(second.data(), 12, 12, 3);
  const std::vector<std::byte> good = picture("422.jpg");
  const std::vector<std::byte> png = picture("rgb.png");
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
