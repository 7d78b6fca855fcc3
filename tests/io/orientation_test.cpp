// The right orientations are Pillow's (tests/reference/record_orientation.py).

#include <millrace/core/random.h>
#include <millrace/image/orientation.h>
#include <millrace/io/decode.h>
#include <millrace/io/detail/orientation.h>

#include "catch.h"
#include "io/recorded.h"
#include "io/scratch.h"

#include <algorithm>
#include <string>
#include <vector>

using namespace millrace;
using namespace millrace::test;
using namespace std::string_literals;
using detail::exif_orientation;
using detail::Format;

namespace {

struct Case {
  std::string file;
  int orientation = 0, height = 0, width = 0;
  std::uint32_t crc = 0;
};

std::vector<Case> recorded_cases() {
  return recorded("orientation.csv", [](Fields& next) {
    Case one{next.text(), next.number(), next.number(), next.number(), next.crc()};
    (void)next.text();  // whether Pillow reads the file from its name
    return one;
  });
}

std::vector<std::byte> sample(const std::string& name) {
  return read_file(std::filesystem::path(MILLRACE_TEST_DATA "/io/orientation") / name);
}

int orientation_of(std::span<const std::byte> file) {
  return exif_orientation(detail::sniff(file), file);
}

// RGB of the file's own size, as it is to be seen.
std::vector<std::uint8_t> shown(Decoder& decoder, const Case& one) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(one.height * one.width * 3));
  decoder.decode(sample(one.file), one.file, {pixels.data(), one.height, one.width, 3},
                 Filter::nearest);
  return pixels;
}

std::string number(std::size_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i));
  return text;
}

std::string app1(const std::string& data) {
  return "\xFF\xE1" + number(data.size() + 2, 2) + data;
}

std::string png_part(const std::string& type, const std::string& data) {
  return number(data.size(), 4) + type + data + number(0, 4);  // its checksum is not looked at
}

std::string packed(const std::string& text) {
  uLongf size = ::compressBound(text.size());
  std::string data(size, '\0');
  ::compress(reinterpret_cast<Bytef*>(data.data()), &size,
             reinterpret_cast<const Bytef*>(text.data()), text.size());
  data.resize(size);
  return data;
}

int orientation_of_text(const std::string& file) {
  return orientation_of(std::as_bytes(std::span(file)));
}

const std::string kPng = "\x89PNG\r\n\x1A\n";
const std::string kSix = "II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"s;

}  // namespace

TEST_CASE("the orientation of a JPEG, PNG, WebP or TIFF is the one that Pillow finds") {
  const std::vector<Case> cases = recorded_cases();
  REQUIRE(cases.size() == 269);
  for (const Case& one : cases) {
    INFO(one.file);
    CHECK(orientation_of(sample(one.file)) == one.orientation);
  }
}

TEST_CASE("pixels that a decoder turns are Pillow's exif_transpose to the byte") {
  Decoder decoder({.exif_orientation = true});
  int turned = 0;
  for (const Case& one : recorded_cases()) {
    if (one.file == "deep.png") continue;  // Pillow clips samples of 16 bits
    if (one.file.starts_with("name_"))
      continue;  // the decoder refuses names of parts that are none
    INFO(one.file);
    CHECK(crc_of(shown(decoder, one)) == one.crc);
    if (one.orientation != 1) ++turned;
  }
  CHECK(turned > 150);
}

TEST_CASE("formats that have no orientation are shown as they are stored") {
  // Even with bytes in them that would be one elsewhere.
  const std::vector<std::byte> jpeg = sample("ii_6.jpg");
  for (const Format format : {Format::bmp, Format::gif, Format::pnm, Format::psd, Format::tga}) {
    CHECK(exif_orientation(format, jpeg) == 1);
  }
}

TEST_CASE("a file that is cut anywhere has an orientation and none is read beyond its end") {
  for (const Case& one : recorded_cases()) {
    const std::vector<std::byte> whole = sample(one.file);
    const Format format = detail::sniff(whole);
    for (std::size_t length = 0; length <= std::min<std::size_t>(whole.size(), 600); ++length) {
      // A vector of its own, whose end the sanitizers know.
      const std::vector<std::byte> cut(whole.begin(),
                                       whole.begin() + static_cast<std::ptrdiff_t>(length));
      const int orientation = exif_orientation(format, cut);
      INFO(one.file << " cut to " << length);
      REQUIRE(orientation >= 1);
      REQUIRE(orientation <= 8);
    }
  }
}

TEST_CASE("a file with damaged bytes has an orientation from 1 to 8") {
  constexpr std::uint64_t kSeed = 11;
  std::uint32_t pass = 0;
  for (const Case& one : recorded_cases()) {
    std::vector<std::byte> file = sample(one.file);
    const Format format = detail::sniff(file);
    Random random(kSeed, ++pass, 0, Purpose::user);
    for (int i = 0; i < 50; ++i) {
      const auto place = random.below(file.size());
      file[place] = static_cast<std::byte>(random.bits());
      const int orientation = exif_orientation(format, file);
      INFO(one.file << " after " << i << " changes, the last at " << place);
      REQUIRE(orientation >= 1);
      REQUIRE(orientation <= 8);
    }
  }
}

TEST_CASE("EXIF in a thousand parts of a byte is joined") {
  std::string file = "\xFF\xD8";
  for (const char c : kSix) file += app1("Exif\0\0"s + c);
  for (int i = 0; i < 1000; ++i) file += app1("Exif\0\0x"s);
  CHECK(orientation_of_text(file) == 6);
}

TEST_CASE("a JPEG without EXIF is not looked at behind its first scan") {
  const std::string behind = app1("Exif\0\0"s + kSix);
  const std::string scan = "\xFF\xDA\0\2"s;
  CHECK(orientation_of_text("\xFF\xD8" + behind) == 6);
  CHECK(orientation_of_text("\xFF\xD8" + scan + behind) == 1);
}

TEST_CASE("a packed text of a PNG that grows to more than a mebibyte is not looked at") {
  const std::string xmp = "tiff:Orientation=\"6\"", key = "XML:com.adobe.xmp"s;
  const auto file = [&](std::size_t zeros) {
    return kPng + png_part("iTXt", key + "\0\1\0\0\0"s + packed(xmp + std::string(zeros, '\0')));
  };
  CHECK(orientation_of_text(file(1'000'000)) == 6);
  CHECK(orientation_of_text(file(2'000'000)) == 1);  // Pillow refuses the file
  CHECK(orientation_of_text(file(90'000'000)) == 1);
}

TEST_CASE("packed texts of a PNG are unpacked up to 64 mebibytes together") {
  const std::string xmp = "tiff:Orientation=\"6\"", key = "XML:com.adobe.xmp"s;
  const std::string part =
      png_part("zTXt", key + "\0\0"s + packed(xmp + std::string(1'000'000, '\0')));
  std::string file = kPng;
  for (int i = 0; i < 60; ++i) file += part;
  CHECK(orientation_of_text(file) == 6);
  for (int i = 0; i < 60; ++i) file += part;
  CHECK(orientation_of_text(file) == 1);  // Pillow refuses the file
}
