// BMP and PNM files: of every kind that is read against Pillow, of other kinds by their name, and
// damaged ones.

#include <millrace/core/random.h>
#include <millrace/io/decode.h>

#include "catch.h"
#include "io/recorded.h"
#include "io/scratch.h"

#include <algorithm>
#include <limits>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

struct Case {
  std::string file = {};
  int height = 0, width = 0;
  std::uint32_t grey = 0, colour = 0;  // CRC-32 of the pixels
};

std::vector<Case> recorded_cases() {
  return recorded("bmp_pnm.csv", [](Fields& next) {
    return Case{next.text(), next.number(), next.number(), next.crc(), next.crc()};
  });
}

std::vector<std::byte> bytes_of(const Case& one) {
  return read_file(MILLRACE_TEST_DATA "/io/bmp_pnm/" + one.file);
}

// The pixels of the whole image at its own size.
std::vector<std::uint8_t> decoded(Decoder& decoder, std::span<const std::byte> file,
                                  const Case& one, int channels) {
  std::vector<std::uint8_t> target(static_cast<std::size_t>(one.height * one.width * channels));
  decoder.decode(file, "a", {target.data(), one.height, one.width, channels}, Filter::nearest);
  return target;
}

std::string decode_error(std::string_view file, DecoderOptions options = {}) {
  std::vector<std::uint8_t> target(8 * 8 * 3);
  Decoder decoder(options);
  return error_of([&] {
    decoder.decode(std::as_bytes(std::span(file)), "a", {target.data(), 8, 8, 3}, Filter::bilinear);
  });
}

std::string little_endian(std::uint32_t value, int bytes = 4) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> 8 * i);
  return text;
}

struct Bmp {
  std::uint32_t header = 40, bits = 24, compression = 0, colours = 0;
  std::int32_t width = 4, height = 2;
  std::string behind = {};  // the header: masks, palette
  std::string pixels = std::string(1000, '\1');
  std::uint32_t gap = 0;
};

std::string file_of(const Bmp& bmp) {
  std::string info = little_endian(bmp.header);
  info += little_endian(static_cast<std::uint32_t>(bmp.width));
  info += little_endian(static_cast<std::uint32_t>(bmp.height));
  info += little_endian(1, 2) + little_endian(bmp.bits, 2) + little_endian(bmp.compression);
  info += std::string(12, '\0') + little_endian(bmp.colours) + std::string(4, '\0');
  info.resize(std::max<std::size_t>(bmp.header, 40));
  info += bmp.behind + std::string(bmp.gap, '\0');
  const auto place = static_cast<std::uint32_t>(14 + info.size());
  return "BM" + std::string(8, '\0') + little_endian(place) + info + bmp.pixels;
}

// So many entries of a palette: the greys 0, `step` and so on.
std::string greys(int count, int step = 1) {
  std::string palette;
  for (int i = 0; i < count; ++i) palette += std::string(3, static_cast<char>(i * step)) + '\0';
  return palette;
}

std::string refusal(const Bmp& bmp) {
  const std::string error = decode_error(file_of(bmp));
  CHECK(error.starts_with("a: a BMP file "));
  const std::size_t end = error.find(", which is not read; convert it with `convert in.bmp ");
  CHECK(end != std::string::npos);
  return error.substr(std::min<std::size_t>(error.size(), 14), end - 14);
}

// Runs over 16 colours that are not just greys.
Bmp with_runs(const std::string& runs, bool rle4 = false) {
  return {.bits = rle4 ? 4U : 8U,
          .compression = rle4 ? 2U : 1U,
          .colours = 16,
          .behind = greys(16, 3),
          .pixels = runs};
}

}  // namespace

TEST_CASE("BMP and PNM files of every kind that is read equal Pillow to the byte") {
  const std::vector<Case> cases = recorded_cases();
  REQUIRE(cases.size() == 155);
  Decoder decoder;
  for (const Case& one : cases) {
    INFO(one.file);
    const std::vector<std::byte> file = bytes_of(one);
    const ImageInfo info = image_info(file, one.file);
    CHECK(info.height == one.height);
    CHECK(info.width == one.width);
    CHECK(crc_of(decoded(decoder, file, one, 1)) == one.grey);
    CHECK(crc_of(decoded(decoder, file, one, 3)) == one.colour);
  }
}

TEST_CASE("an image whose colours are all grey has one channel") {
  const auto channels = [](const std::string& name) {
    return image_info(bytes_of({.file = name}), name).channels;
  };
  for (const char* name :
       {"1_black_white.bmp", "1_white_black.bmp", "8_three_greys.bmp", "8_greys_down.bmp",
        "rle8_greys.bmp", "p1.pbm", "p4.pbm", "p5_255.pgm"}) {
    INFO(name);
    CHECK(channels(name) == 1);
  }
  for (const char* name : {"1_colours.bmp", "8.bmp", "rle4.bmp", "32_rgba_header56.bmp", "16.bmp",
                           "p3_255.ppm", "p6_65535.ppm"}) {
    INFO(name);
    CHECK(channels(name) == 3);
  }
}

TEST_CASE("BMP files of kinds that are not read are called so and not damaged") {
  CHECK(refusal({.header = 124, .bits = 0, .compression = 4}) == "with a JPEG file inside");
  CHECK(refusal({.header = 124, .bits = 0, .compression = 5}) == "with a PNG file inside");
  CHECK(refusal({.header = 64, .compression = 4}) == "with RLE24 runs");
  CHECK(refusal({.header = 64, .bits = 1, .compression = 3}) == "packed by Huffman 1D");
  CHECK(refusal({.bits = 32, .compression = 6}) == "packed by method 6");
  CHECK(refusal({.header = 16}) == "with a header of 16 bytes");
  CHECK(refusal({.header = 66}) == "with a header of 66 bytes");
  CHECK(refusal({.bits = 2, .behind = greys(4)}) == "of 2 bits a pixel");
  CHECK(refusal({.bits = 64}) == "of 64 bits a pixel");
  CHECK(refusal({.bits = 4, .compression = 1, .behind = greys(16, 9)}) ==
        "with RLE8 runs at 4 bits a pixel");
  CHECK(refusal({.bits = 8, .colours = 257, .behind = greys(257, 9)}) ==
        "with a palette of 257 colours");
  const std::string masks = little_endian(0xF00) + little_endian(0xF0) + little_endian(0xF);
  CHECK(refusal({.bits = 16, .compression = 3, .behind = masks}) ==
        "of 16 bits a pixel with the masks 00000f00 000000f0 0000000f and 00000000");
  CHECK(refusal({.bits = 24, .compression = 3, .behind = masks}).starts_with("of 24 bits a pixel"));
}

TEST_CASE("what Pillow misreads in a BMP file is refused") {
  CHECK(refusal({.bits = 8, .colours = 2, .behind = greys(2, 255)}) ==
        "in black and white at 8 bits a pixel");
  CHECK(refusal({.bits = 4, .colours = 2, .behind = greys(2, 255)}) ==
        "in black and white at 4 bits a pixel");
  CHECK(refusal({.bits = 4, .behind = greys(16)}) ==
        "of 4 bits a pixel whose colours are the greys from 0 on");
  const std::string row{"\4\1\0\0", 4};
  CHECK(decode_error(file_of(with_runs(row + row))).empty());
  CHECK(refusal(with_runs(std::string("\2\1\0\2\1\0", 6) + row + row)) ==
        "whose runs leave out pixels or rows");
  CHECK(refusal(with_runs(std::string("\0\0", 2) + row + row)) ==
        "whose runs leave out pixels or rows");
  CHECK(refusal(with_runs(row + std::string("\0\1", 2))) == "that leaves out its last rows");
  const std::string list{"\0\3\1\2\3\0\1\1\0\0", 10};
  CHECK(decode_error(file_of(with_runs(list + row))).empty());
  CHECK(refusal(with_runs(list + row, true)) == "with odd runs in RLE4");
  Bmp at_odd_place = with_runs(list + row);
  at_odd_place.gap = 1;
  CHECK(refusal(at_odd_place) == "whose runs begin at an odd place");
}

TEST_CASE("a BMP file with a header that cannot be is damaged") {
  const auto claims = [](const std::string& what) {
    return "a: a damaged BMP file: its header claims " + what + " that cannot be; get it again";
  };
  CHECK(decode_error(file_of({.bits = 30000})) == claims("bits and packing"));
  CHECK(decode_error(file_of({.bits = 8, .colours = 305402420})) == claims("colours"));
  CHECK(decode_error(file_of({.width = 0})) == claims("pixels"));
  CHECK(decode_error(file_of({.width = -4})) == claims("pixels"));
  CHECK(decode_error(file_of({.height = 0})) == claims("pixels"));
  CHECK(decode_error(file_of({.height = std::numeric_limits<int>::min()})) == claims("pixels"));
  std::string file = file_of(Bmp{});
  file[10] = 53;
  CHECK(decode_error(file) ==
        "a: a damaged BMP file: its pixels begin within its header; get it again");
  CHECK(decode_error(file_of(with_runs(std::string("\2\1\0\3\1\2\3\0\0\0", 10)))) ==
        "a: a damaged BMP file: its pixels go over the edge; get it again");
}

TEST_CASE("a BMP or PNM file takes no memory for pixels that it only claims") {
  const std::string early = " file that ends early; get it again";
  const DecoderOptions options{.max_scratch = 512_MiB};
  CHECK(decode_error(file_of({.width = 9000, .height = 9000}), options) == "a: a BMP" + early);
  CHECK(decode_error(file_of({.width = 99, .height = -900000}), options) == "a: a BMP" + early);
  CHECK(decode_error("P6 9000 9000 255\nabc", options) == "a: a PNM" + early);
  CHECK(decode_error("P3 9000 9000 255\n1 2 3", options) == "a: a PNM" + early);
  CHECK(decode_error("P1 9000 9000 1 0 1", options) == "a: a PNM" + early);
  Bmp runs = with_runs("\4\1");
  runs.width = 9000;
  runs.height = 1000;
  runs.pixels = std::string(4000, '\1');
  CHECK_THAT(decode_error(file_of(runs), {.max_scratch = 1_MiB}),
             Contains("decoding it takes 8.6 MiB"));
  CHECK_THAT(decode_error("P5 2147483647 2147483647 255\n"), Contains("--max-image-pixels"));
  CHECK_THAT(decode_error(file_of({.width = 2147483647, .height = 2147483647})),
             Contains("--max-image-pixels"));
}

TEST_CASE("a PNM file that is not what its format's text says is damaged") {
  const auto error = [](std::string_view file) {
    const std::string text = decode_error(file);
    const std::string_view begin = "a: a damaged PNM file: ", end = "; get it again";
    if (!text.starts_with(begin) || !text.ends_with(end)) return text;
    return text.substr(begin.size(), text.size() - begin.size() - end.size());
  };
  CHECK(error("P5 0 1 255\n") == "its header claims pixels that cannot be");
  CHECK(error("P5 1 2147483648 255\n") == "its header claims pixels that cannot be");
  CHECK(error("P5 1 1 0\n1") == "the maximum of its samples is not 1 to 65535");
  CHECK(error("P5 1 1 65536\n11") == "the maximum of its samples is not 1 to 65535");
  CHECK(error("P5 1 00000000001 255\n1") == "it has a number of more than 10 digits");
  CHECK(error("P5 1 -1 255\n1") == "it has something else where a number belongs");
  CHECK(error("P2 1 1 9 0x4") == "it has something else where a number belongs");
  CHECK(error("P2 1 1 9 10") == "it has a sample above its maximum");
  CHECK(error("P1 2 1 1 2") == "it has something else where 0 or 1 belongs");
  for (const char* file : {"P5 ", "P5 2 ", "P5 1 1 255", "P5 1 1 255# here", "P6 1 1 255\nab",
                           "P6 1 1 256\nabcde", "P4 9 1 a", "P1 3 1 1 1", "P2 3 1 9 1 2 # 3"}) {
    INFO(file);
    CHECK(error(file) == "a: a PNM file that ends early; get it again");
  }
}

TEST_CASE("what only begins with the letters of BMP or PNM is no image") {
  CHECK_THAT(decode_error("BMW drives as a text of more than a few bytes does."),
             Contains("not an image: it begins with the text 'BMW drives as a '"));
  CHECK_THAT(decode_error("P1ease read me"), Contains("not an image"));
  CHECK_THAT(decode_error("Pf\n1 1\n-1.0\n\1\2\3\4"), Contains("a PFM file, which is not read"));
}

TEST_CASE("a BMP or PNM file that is cut anywhere is refused or lacks nothing") {
  Decoder decoder;
  for (const Case& one : recorded_cases()) {
    const std::vector<std::byte> whole = bytes_of(one);
    const std::vector<std::uint8_t> pixels = decoded(decoder, whole, one, 3);
    // The last number of a plain file ends where the file does.
    const bool is_plain = one.file.starts_with("p2_") || one.file.starts_with("p3_");
    std::size_t wrong = 0;
    for (std::size_t length = 0; length < whole.size() - (is_plain ? 6 : 0); ++length) {
      const std::vector<std::byte> cut(whole.begin(),
                                       whole.begin() + static_cast<std::ptrdiff_t>(length));
      try {
        wrong += decoded(decoder, cut, one, 3) != pixels ? 1U : 0U;
      } catch (const Error&) {
      }
    }
    INFO(one.file);
    CHECK(wrong == 0);
  }
}

TEST_CASE("BMP and PNM files with bytes that changed are survived") {
  constexpr std::uint64_t kSeed = 20251129;
  INFO("seed " << kSeed);
  Decoder decoder({.max_pixels = 1'000'000, .max_scratch = 16_MiB});
  std::uint32_t number = 0, refused = 0;
  for (const Case& one : recorded_cases()) {
    const std::vector<std::byte> whole = bytes_of(one);
    for (std::uint64_t i = 0; i < 200; ++i) {
      Random random(kSeed, number++, i, Purpose::user);
      std::vector<std::byte> file = whole;
      for (std::uint64_t changes = 1 + random.below(6); changes > 0; --changes) {
        // Every second one in the header, where it changes most.
        const std::uint64_t among =
            random.coin(0.5) ? std::min<std::size_t>(file.size(), 70) : file.size();
        file[random.below(among)] = static_cast<std::byte>(random.below(256));
      }
      try {
        (void)decoded(decoder, file, {.height = 8, .width = 8}, 3);
      } catch (const Error& error) {
        ++refused;
        CHECK(std::string_view(error.what()).starts_with("a: "));
      }
    }
  }
  CHECK(refused > 155 * 200 / 4);
}
