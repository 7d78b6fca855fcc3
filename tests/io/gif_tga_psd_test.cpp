// GIF, TGA and PSD: small files of every kind, with what Pillow makes of them, from
// tests/reference/record_gif_tga_psd.py.

#include <millrace/core/random.h>
#include <millrace/io/decode.h>

#include "catch.h"
#include "io/recorded.h"
#include "io/scratch.h"

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

constexpr std::uint64_t kSeed = 20261130;

struct Case {
  std::string name;
  int height = 0, width = 0;  // 0: Millrace is to refuse it
  std::uint32_t grey = 0, rgb = 0;
  std::size_t needed = 0;  // bytes, without which Pillow refuses it
  std::string says;        // words of the reason, if it is to be refused
  std::vector<std::byte> file;
};

std::vector<std::byte> from_hex(const std::string& text) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(text.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

const std::vector<Case>& recorded_cases() {
  static const std::vector<Case> cases = recorded("gif_tga_psd.csv", [](Fields& next) {
    return Case{next.text(), next.number(),        next.number(),
                next.crc(),  next.crc(),           static_cast<std::size_t>(next.number()),
                next.text(), from_hex(next.text())};
  });
  return cases;
}

const Case& recorded_case(std::string_view name) {
  for (const Case& one : recorded_cases()) {
    if (one.name == name) return one;
  }
  throw Error(concat("no case ", name));
}

// Checksum of the pixels at the size of the case; throws Error.
std::uint32_t decoded(Decoder& decoder, std::span<const std::byte> file, const Case& one,
                      int channels) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(one.height * one.width * channels));
  decoder.decode(file, one.name, {pixels.data(), one.height, one.width, channels}, Filter::nearest);
  return crc_of(pixels);
}

std::string refusal(std::span<const std::byte> file, DecoderOptions options = {}) {
  std::vector<std::uint8_t> target(4 * 4 * 3);
  Decoder decoder(options);
  return error_of([&] { decoder.decode(file, "x", {target.data(), 4, 4, 3}, Filter::box); });
}

}  // namespace

TEST_CASE("GIF, TGA and PSD files of every kind have the pixels that Pillow gives them") {
  Decoder decoder;
  std::size_t count = 0;
  for (const Case& one : recorded_cases()) {
    if (one.height == 0) continue;
    INFO(one.name);
    ++count;
    CHECK(decoded(decoder, one.file, one, 3) == one.rgb);
    CHECK(decoded(decoder, one.file, one, 1) == one.grey);
    const ImageInfo info = image_info(one.file, one.name);
    CHECK(info.height == one.height);
    CHECK(info.width == one.width);
  }
  CHECK(count > 190);
}

TEST_CASE("kinds of GIF, TGA and PSD files that are not read are refused by their names") {
  std::size_t count = 0;
  for (const Case& one : recorded_cases()) {
    if (one.height != 0) continue;
    INFO(one.name);
    ++count;
    const std::string error = refusal(one.file);
    CHECK_THAT(error, Contains(one.says));
    // What is whole is not called damaged.
    const bool is_kind = error.find("which is not read; convert it with `convert ") < error.size();
    const bool is_fault = error.find("get it again") < error.size();
    const bool is_none = error.find("not an image") < error.size();
    CHECK(is_kind + is_fault + is_none == 1);
  }
  CHECK(count > 45);
  CHECK(refusal(recorded_case("tga of 15 bits").file) ==
        "x: a TGA file of 15-bit pixels, which is not read; convert it with `convert in.tga "
        "out.png` of ImageMagick");
  CHECK(refusal(recorded_case("psd of 16 bits").file) ==
        "x: a PSD file of 16-bit samples, which is not read; convert it with `convert 'in.psd[0]' "
        "out.png` of ImageMagick");
  CHECK(refusal(recorded_case("gif with an impossible code").file) ==
        "x: it is damaged (an impossible code); get it again");
}

TEST_CASE("a GIF, TGA or PSD file that lacks bytes of its pixels is an error wherever it ends") {
  Decoder decoder;
  for (const Case& one : recorded_cases()) {
    for (std::size_t length = 0; one.height != 0 && length < one.file.size(); ++length) {
      // Decoding the longest ones from each of their thousands of bytes tells nothing more.
      if (one.file.size() > 1000 && length % 97 != 0 && length + 40 < one.needed) continue;
      std::uint32_t crc = 0;
      const std::string error =
          error_of([&] { crc = decoded(decoder, std::span(one.file).first(length), one, 3); });
      const bool is_right = length >= one.needed ? error.empty() && crc == one.rgb
                            : length > 18 ? error == one.name + ": it ends early; get it again"
                                          : !error.empty();
      if (is_right) continue;
      FAIL_CHECK(one.name << " cut to " << length << " of " << one.needed << ": " << error);
    }
  }
}

TEST_CASE("damaged GIF, TGA and PSD files are survived") {
  INFO("seed " << kSeed);
  Decoder decoder({.max_pixels = 1'000'000, .max_scratch = 4_MiB});
  std::vector<std::uint8_t> target(8 * 8 * 3);
  int errors = 0;
  for (const Case& one : recorded_cases()) {
    const std::uint64_t copies = one.file.size() > 1000 ? 10 : 60;
    for (std::uint64_t i = 0; i < copies; ++i) {
      Random random(kSeed, static_cast<std::uint32_t>(one.file.size()), i, Purpose::user);
      std::vector<std::byte> file = one.file;
      for (std::uint64_t flips = 1 + random.below(4); flips > 0; --flips) {
        file[random.below(file.size())] = static_cast<std::byte>(random.below(256));
      }
      const std::string error = error_of([&] {
        decoder.decode(file, "x", {target.data(), 8, 8, 3}, Filter::bilinear);
      });
      if (!error.empty()) ++errors;
      if (!error.empty() && !error.starts_with("x: ")) FAIL_CHECK(one.name << ": " << error);
    }
  }
  CHECK(errors > 1000);
}

TEST_CASE("GIF, TGA and PSD files that claim many pixels are refused before memory is taken") {
  const auto claiming = [](std::string_view name, std::size_t at, std::vector<int> bytes) {
    std::vector<std::byte> file = recorded_case(name).file;
    for (const int byte : bytes) file[at++] = static_cast<std::byte>(byte);
    return file;
  };
  const std::vector<std::vector<std::byte>> files = {
      claiming("gif of 1987", 6, {0xFF, 0xFF, 0xFF, 0xFF}),
      // A frame of 60,000 by 60,000 at 60,000, 60,000.
      claiming("gif of 1987", 26, {0x60, 0xEA, 0x60, 0xEA, 0x60, 0xEA, 0x60, 0xEA}),
      claiming("tga 32 bits from the top left", 12, {0xFF, 0xFF, 0xFF, 0xFF}),
      claiming("tga 32 bits in runs from the top left", 12, {0xFF, 0xFF, 0xFF, 0xFF}),
      claiming("psd rgb", 14, {0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30})};
  for (const std::vector<std::byte>& file : files) {
    CHECK_THAT(refusal(file), Contains("an image may have; shrink it or raise --max-image-pixels"));
    CHECK_THAT(refusal(file, {.max_pixels = ~0ULL}),
               Contains("that an image may; shrink it or raise --memory-budget"));
  }
  CHECK_THAT(refusal(claiming("psd rgb", 14, {0xFF, 0xFF, 0xFF, 0xFF})),
             Contains("it is damaged (its size)"));
  // The colours of CMYK take a fourth byte a pixel while they are converted.
  CHECK_THAT(refusal(recorded_case("psd cmyk").file, {.max_scratch = Bytes{5 * 7 * 4 - 1}}),
             Contains("shrink it or raise --memory-budget"));
  CHECK(refusal(recorded_case("psd cmyk").file, {.max_scratch = Bytes{5 * 7 * 4}}).empty());
}

TEST_CASE("the headers of GIF, TGA and PSD files tell how many channels are stored") {
  const auto channels = [](std::string_view name) {
    return image_info(recorded_case(name).file, name).channels;
  };
  CHECK(channels("gif of 1987") == 3);
  CHECK(channels("gif without a palette") == 1);
  CHECK(channels("tga grey from the top left") == 1);
  CHECK(channels("tga grey and alpha from the top left") == 2);
  CHECK(channels("tga 24-bit map from the top left") == 3);
  CHECK(channels("tga 32 bits from the top left") == 4);
  CHECK(channels("psd grey") == 1);
  CHECK(channels("psd rgb") == 3);
  CHECK(channels("psd rgb and alpha") == 4);
}

TEST_CASE("what only resembles a TGA file is not taken for one") {
  const auto resembling = [](std::size_t at, int byte) {
    std::vector<std::byte> file = recorded_case("tga 24-bit map from the top left").file;
    file[at] = static_cast<std::byte>(byte);
    return refusal(file);
  };
  CHECK(resembling(0, 0).empty());
  // Kind of map, of pixels, bits of a colour and of a pixel, width, order of rows, attribute bits.
  for (const auto& [at, byte] : std::vector<std::pair<std::size_t, int>>{{1, 2},
                                                                         {2, 4},
                                                                         {2, 32},
                                                                         {7, 8},
                                                                         {12, 0},
                                                                         {16, 24},
                                                                         {17, 0x60},
                                                                         {17, 0xA0},
                                                                         {17, 0x2C}}) {
    INFO(at << ' ' << byte);
    CHECK_THAT(resembling(at, byte), Contains("not an image"));
  }
}
