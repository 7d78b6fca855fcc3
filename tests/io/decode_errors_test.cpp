// Images that end early, are damaged, too large or of kinds that are not read.

#include <millrace/io/decode.h>

#include "catch.h"
#include "io/scratch.h"

#include <array>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

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

}  // namespace

TEST_CASE("a JPEG that ends early is an error wherever it is cut") {
  const std::vector<std::byte> whole = image("420.jpg");
  for (const std::size_t length :
       {std::size_t{3}, std::size_t{100}, whole.size() / 2, whole.size() - 40}) {
    const std::string error = decode_error(std::span(whole).first(length), "cats/7.jpg");
    INFO(error);
    CHECK(error.starts_with("cats/7.jpg: damaged JPEG: "));
  }
  const std::vector<std::byte> progressive = image("progressive.jpg");
  CHECK(decode_error(std::span(progressive).first(progressive.size() / 2)) ==
        "a.jpg: damaged JPEG: Premature end of JPEG file; get it again");
}

TEST_CASE("a JPEG whose data stop in the middle and that then ends properly is an error too") {
  std::vector<std::byte> file = image("420.jpg");
  file.resize(file.size() * 2 / 3);
  file.push_back(std::byte{0xFF});
  file.push_back(std::byte{0xD9});
  CHECK(decode_error(file).starts_with("a.jpg: damaged JPEG: "));
}

TEST_CASE("bytes after the end of a JPEG are tolerated, as cameras append previews") {
  std::vector<std::byte> file = image("420.jpg");
  file.resize(file.size() + 1000, std::byte{42});
  CHECK(decode_error(file).empty());
}

TEST_CASE("kinds of JPEG that are not read are named, and are not called damaged") {
  const std::vector<std::byte> whole = image("420.jpg");
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
    const std::vector<std::byte> whole = image(name);
    for (const std::size_t length : {whole.size() / 2, whole.size() - whole.size() / 10}) {
      INFO(name << " cut to " << length << " of " << whole.size());
      CHECK_FALSE(decode_error(std::span(whole).first(length), name).empty());
    }
  }
}

TEST_CASE("a PNG with a damaged part is an error, not noise") {
  std::vector<std::byte> file = image("rgb.png");
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
  const std::string_view much = "a.jpg: decoding it takes more than the 64 KiB that an image may; ";
  const auto error = [](std::size_t bytes) {
    const std::string file = grey_png(std::string(bytes, '\0'));
    return decode_error(std::as_bytes(std::span(file)), "a.jpg", {.max_scratch = 64_KiB});
  };
  CHECK(error(100).empty());
  CHECK(error(10'000'000).starts_with(much));
}

TEST_CASE("what is no image is named as what it looks like") {
  CHECK(decode_error("") == "a.jpg: the file is empty; remove it or get it again");
  CHECK(decode_error("<!DOCTYPE html><html>") ==
        "a.jpg: not an image: it begins with the text '<!DOCTYPE html><'; remove it");
  CHECK(decode_error(std::string_view("\0\1\2\3", 4)) ==
        "a.jpg: not an image: it begins with the bytes 00 01 02 03; remove it");
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

TEST_CASE("images beyond the limits are refused from their header") {
  CHECK(decode_error(image("420.jpg"), "big.jpg", {.max_pixels = 2000}) ==
        "big.jpg: 61x47 pixels are more than the 2000 that an image may have; shrink it or raise "
        "--max-image-pixels");
  CHECK(decode_error(image("rgb.png"), "big.png", {.max_scratch = 4_KiB}) ==
        "big.png: decoding it takes 8.4 KiB, more than the 4 KiB that an image may; shrink it or "
        "raise --memory-budget");
  CHECK(decode_error(image("progressive.jpg"), "big.jpg", {.max_scratch = 4_KiB})
            .starts_with("big.jpg: decoding it takes "));
  CHECK(decode_error(image("420.jpg"), "big.jpg", {.max_scratch = 0_B}).empty());
}

TEST_CASE("a PNG that claims 65,000 by 65,000 pixels takes no memory for them") {
  std::vector<std::byte> file = image("rgb.png");
  for (const std::size_t at : {16U, 20U}) {
    file[at] = file[at + 1] = std::byte{0};
    file[at + 2] = std::byte{0xFD};
    file[at + 3] = std::byte{0xE8};
  }
  const auto sum = ::crc32_z(0, reinterpret_cast<const Bytef*>(file.data() + 12), 17);
  for (std::size_t i = 0; i < 4; ++i) file[29 + i] = static_cast<std::byte>(sum >> (24 - 8 * i));
  CHECK(decode_error(file, "bomb.png") ==
        "bomb.png: 65000x65000 pixels are more than the 178956970 that an image may have; shrink "
        "it or raise --max-image-pixels");
  CHECK(decode_error(file, "bomb.png",
                     {.max_pixels = UINT64_MAX, .max_scratch = Bytes{UINT64_MAX}}) ==
        "bomb.png: 65000x65000 pixels are more than a PNG file may have here; shrink it");
}
