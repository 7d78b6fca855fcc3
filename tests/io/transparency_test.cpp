// Images whose transparency is kept, put on two colours: against Pillow, or the text of the format
// where Pillow goes against it (tests/reference/record_transparency.py).

#include <millrace/core/random.h>
#include <millrace/io/decode.h>
#include <millrace/io/detail/format.h>
#include <millrace/io/detail/raster_readers.h>

#include "catch.h"
#include "io/recorded.h"
#include "io/scratch.h"

#include <algorithm>
#include <fstream>
#include <map>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;
using detail::Transparency;

namespace {

constexpr std::size_t kEnough = 16U << 20;

struct Case {
  std::string file, from;
  bool has_alpha = false;
  int height = 0, width = 0;
  std::string white, blue;  // CRC-32, or words of the message
};

std::vector<Case> recorded_cases() {
  return recorded("transparency.csv", [](Fields& next) {
    return Case{next.text(),   next.text(), next.number() == 1, next.number(),
                next.number(), next.text(), next.text()};
  });
}

// The files of gif_tga_psd.csv by their names.
std::map<std::string, std::vector<std::byte>> files_in_table() {
  std::ifstream table(MILLRACE_TEST_DATA "/io/gif_tga_psd.csv");
  std::map<std::string, std::vector<std::byte>> files;
  for (std::string line; std::getline(table, line);) {
    std::vector<std::byte>& file = files[line.substr(0, line.find(','))];
    if (line.starts_with("#") || line.starts_with("name,")) continue;
    for (std::size_t at = line.rfind(',') + 1; at + 1 < line.size(); at += 2) {
      file.push_back(static_cast<std::byte>(std::stoi(line.substr(at, 2), nullptr, 16)));
    }
  }
  return files;
}

std::vector<std::byte> file_of(const std::string& name) {
  static const auto in_table = files_in_table();
  const std::size_t blank = name.find(' ');
  if (blank != std::string::npos) return in_table.at(name.substr(blank + 1));
  return read_file(MILLRACE_TEST_DATA "/io/" + name);
}

detail::RasterHeader header_of(std::span<const std::byte> file, Transparency transparency) {
  return detail::raster_header(detail::sniff(file), file, transparency);
}

detail::Raster decoded(std::span<const std::byte> file, Transparency transparency,
                       std::size_t max_bytes = kEnough) {
  return detail::decode_raster(detail::sniff(file), file, max_bytes, transparency);
}

detail::Raster kept(std::span<const std::byte> file, std::size_t max_bytes = kEnough) {
  return decoded(file, Transparency::kept, max_bytes);
}

std::uint32_t crc_on(const Colour& background, const std::string& name,
                     const detail::RasterHeader& size) {
  const std::vector<std::byte> file = file_of(name);
  std::vector<std::uint8_t> rgb(static_cast<std::size_t>(3 * size.height * size.width));
  Decoder decoder({.background = background});
  decoder.decode(file, name, {rgb.data(), size.height, size.width, 3}, Filter::bilinear);
  return crc_of(rgb);
}

bool are_same(const detail::RasterHeader& a, const detail::RasterHeader& b) {
  return a.height == b.height && a.width == b.width && a.channels == b.channels;
}

}  // namespace

TEST_CASE("images with transparency of every kind are Pillow's on a colour to the byte") {
  std::map<std::string, int> count;
  for (const Case& one : recorded_cases()) {
    if (one.from == "refused") continue;
    INFO(one.file << ", from " << one.from);
    ++count[one.from];
    const std::vector<std::byte> file = file_of(one.file);
    const detail::Raster image = kept(file);
    CHECK(image.header.height == one.height);
    CHECK(image.header.width == one.width);
    CHECK(crc_on({255, 255, 255}, one.file, image.header) == std::stoul(one.white, nullptr, 16));
    CHECK(crc_on({0x12, 0x34, 0x56}, one.file, image.header) == std::stoul(one.blue, nullptr, 16));
  }
  CHECK(count["pillow"] == 593);
  CHECK(count["format"] == 38);
}

TEST_CASE("an image gets an alpha channel where Pillow has one or a transparent colour") {
  for (const Case& one : recorded_cases()) {
    if (one.from == "refused") continue;
    INFO(one.file);
    const std::vector<std::byte> file = file_of(one.file);
    const detail::RasterHeader header = header_of(file, Transparency::kept);
    CHECK(are_same(header, kept(file).header));
    if (one.has_alpha) {
      CHECK(header.channels % 2 == 0);
    } else {
      CHECK(are_same(header, header_of(file, Transparency::dropped)));
    }
  }
}

TEST_CASE("transparency is dropped unless it is asked for") {
  for (const Case& one : recorded_cases()) {
    INFO(one.file);
    const std::vector<std::byte> file = file_of(one.file);
    const detail::Format format = detail::sniff(file);
    const detail::RasterHeader header = detail::raster_header(format, file);
    CHECK(are_same(header, header_of(file, Transparency::dropped)));
    CHECK(are_same(header, detail::decode_raster(format, file, kEnough).header));
  }
  const auto channels = [](const char* name, Transparency transparency) {
    return header_of(file_of(name), transparency).channels;
  };
  CHECK(channels("transparency/palette4_all.png", Transparency::dropped) == 3);
  CHECK(channels("transparency/palette4_all.png", Transparency::kept) == 4);
  CHECK(channels("transparency/grey8_key1.png", Transparency::dropped) == 1);
  CHECK(channels("transparency/grey8_key1.png", Transparency::kept) == 2);
  CHECK(channels("transparency/undeclared.tif", Transparency::dropped) == 3);
  CHECK(channels("transparency/undeclared.tif", Transparency::kept) == 4);
  CHECK(channels("gif_tga_psd.csv gif with transparent white", Transparency::dropped) == 3);
  CHECK(channels("gif_tga_psd.csv gif with transparent white", Transparency::kept) == 4);
  CHECK(channels("gif_tga_psd.csv gif with transparent grey", Transparency::dropped) == 1);
  CHECK(channels("gif_tga_psd.csv gif with transparent grey", Transparency::kept) == 2);
}

TEST_CASE(
    "transparency that goes against the text of its format is refused only where it is kept") {
  int refused = 0;
  for (const Case& one : recorded_cases()) {
    if (one.from != "refused") continue;
    INFO(one.file);
    ++refused;
    const std::vector<std::byte> file = file_of(one.file);
    CHECK_THAT(error_of([&] { kept(file); }), Contains(one.white));
    CHECK_NOTHROW(decoded(file, Transparency::dropped));
  }
  CHECK(refused == 9);
}

TEST_CASE("images with transparency take no more memory than they may") {
  for (const char* name :
       {"transparency/palette8_all.png", "transparency/grey4_key7.png",
        "transparency/rgb16_key65535_interlaced.png", "transparency/palette_alpha.tif",
        "transparency/undeclared_deflate.tif", "gif_tga_psd.csv gif with transparent white",
        "gif_tga_psd.csv tga 16 bits from the top left", "bmp_pnm/32_rgba_header124.bmp"}) {
    INFO(name);
    const std::vector<std::byte> file = file_of(name);
    const std::size_t needed = detail::raster_bytes(header_of(file, Transparency::kept));
    const std::string error = error_of([&] { kept(file, needed - 1); });
    CHECK_THAT(error, Contains("raise --memory-budget"));
    std::size_t bytes = needed;
    while (bytes < kEnough && !error_of([&] { kept(file, bytes); }).empty()) ++bytes;
    CHECK(bytes < 8 * needed + 6000);  // packed, unpacked and shrunk to 8 bits
  }
}

TEST_CASE("damaged files with transparency are read or refused and no more") {
  constexpr std::uint64_t kSeed = 20270105;
  std::uint64_t n = 0;
  for (const Case& one : recorded_cases()) {
    if (!one.has_alpha) continue;
    INFO(one.file);
    const std::vector<std::byte> whole = file_of(one.file);
    for (int i = 0; i < 20; ++i) {
      std::vector<std::byte> file = whole;
      Random random(kSeed, 0, n++, Purpose::user);
      for (std::uint64_t flips = 1 + random.below(3); flips > 0; --flips) {
        file[random.below(file.size())] ^= static_cast<std::byte>(1U << random.below(8));
      }
      error_of([&] {
        const detail::Raster image = kept(file);
        CHECK(are_same(image.header, header_of(file, Transparency::kept)));
      });
    }
    for (const std::size_t size : {whole.size() / 4, whole.size() / 2, whole.size() - 1}) {
      error_of([&] { kept(std::span(whole).first(size)); });
    }
  }
}
