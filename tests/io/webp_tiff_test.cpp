// WebP and TIFF. The right pixels are Pillow's, for grey of more than 8 bits NumPy's
// (tests/reference/record_webp_tiff.py).

#include <millrace/core/random.h>
#include <millrace/io/decode.h>
#include <millrace/io/image_walk.h>

#include "catch.h"
#include "io/recorded.h"
#include "io/scratch.h"

#include <fcntl.h>
#include <algorithm>
#include <map>

using namespace millrace;
using namespace millrace::test;
using namespace std::string_literals;

namespace {

std::vector<std::byte> sample(std::string_view name) {
  return read_file(std::filesystem::path(MILLRACE_TEST_DATA "/io/webp_tiff") / name);
}

struct Case {
  std::string file;
  int channels = 0, height = 0, width = 0;
  std::uint32_t crc = 0;
};

std::vector<Case> recorded_cases() {
  return recorded("webp_tiff.csv", [](Fields& next) {
    return Case{next.text(), next.number(), next.number(), next.number(), next.crc()};
  });
}

std::string decode_error(std::span<const std::byte> file, DecoderOptions options = {}) {
  std::vector<std::uint8_t> target(8 * 8 * 3);
  Decoder decoder(options);
  return error_of([&] { decoder.decode(file, "a", {target.data(), 8, 8, 3}, Filter::bilinear); });
}

void append(std::string& text, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
}

using Tags = std::map<std::uint16_t, std::uint32_t>;

// A little-endian TIFF: `tags` over those of a grey image of 4 x 4 bytes without compression, a
// value each, as much as 16 bits can hold or 32 need.
std::vector<std::byte> tiff(const Tags& tags, std::string_view data = "xxxxxxxxxxxxxxxx") {
  const auto size = static_cast<std::uint32_t>(data.size());
  Tags all = {{256, 4}, {257, 4}, {258, 8}, {259, 1},   {262, 1},
              {273, 8}, {277, 1}, {278, 4}, {279, size}};
  for (const auto& [tag, value] : tags) all[tag] = value;
  std::string file("II*\0", 4);
  append(file, 8 + size, 4);
  file += data;
  append(file, all.size(), 2);
  for (const auto& [tag, value] : all) {
    append(file, tag, 2);
    append(file, value > 65535 ? 4 : 3, 2);
    append(file, 1, 4);
    append(file, value, 4);
  }
  append(file, 0, 4);
  const auto bytes = std::as_bytes(std::span(file));
  return {bytes.begin(), bytes.end()};
}

// 48 zeros by LZMA in the xz format, with a dictionary of 2 << (bits / 2 + 11) bytes.
std::string xz(char bits) {
  std::string block = "\x02\0\x21\1?\0\0\0"s;
  block[4] = bits;
  append(block, ::crc32_z(0, reinterpret_cast<const Bytef*>(block.data()), block.size()), 4);
  std::string file =
      "\xFD"
      "7zXZ\0\0\0\xFF\x12\xD9\x41"s;
  file += block;
  file +=
      "\xE0\0\x2F\0\6\x5D\0\0\x6E\x38\x47\x18\0\0\0\0\0\1\x1A\x30\x5C\x7F\x72\xB6\6\x72"
      "\x9E\x7A\1\0\0\0\0\0\x59\x5A"s;
  return file;
}

// What is said of kinds that are not read.
std::string unread(const std::string& kind) {
  return "a: a TIFF file " + kind +
         ", which is not read; convert it with `convert in.tif out.png` of ImageMagick";
}

// Standard error goes to a file for as long as this lives.
class Silence {
 public:
  explicit Silence(const std::filesystem::path& path)
      : kept_(::dup(STDERR_FILENO)), file_(::open(path.c_str(), O_CREAT | O_RDWR, 0600)) {
    ::dup2(file_, STDERR_FILENO);
  }
  ~Silence() {
    ::dup2(kept_, STDERR_FILENO);
    ::close(kept_);
    ::close(file_);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  int kept_, file_;
};

constexpr std::uint64_t kSeed = 20260301;

std::vector<std::byte> damaged(std::vector<std::byte> file, Random random) {
  for (std::uint64_t i = 0, flips = 1 + random.below(4); i < flips; ++i) {
    file[random.below(file.size())] ^= static_cast<std::byte>(1U << random.below(8));
  }
  return file;
}

}  // namespace

TEST_CASE("WebP and TIFF of every kind are Pillow's pixels to the byte, grey and colour") {
  const std::vector<Case> cases = recorded_cases();
  REQUIRE(cases.size() == 184);
  Decoder decoder;
  for (const Case& one : cases) {
    INFO(one.file << ' ' << one.channels << " channels");
    const std::vector<std::byte> file = sample(one.file);
    std::vector<std::uint8_t> target(
        static_cast<std::size_t>(one.height * one.width * one.channels));
    CHECK(error_of([&] {
            decoder.decode(file, one.file, {target.data(), one.height, one.width, one.channels},
                           Filter::nearest);
          }).empty());
    CHECK(crc_of(target) == one.crc);
  }
}

TEST_CASE("the header of WebP and TIFF tells format, size and channels") {
  const auto info = [](const char* name) { return image_info(sample(name), name); };
  const auto channels = [&](const char* name) { return info(name).channels; };
  CHECK(info("lossy.webp").format == std::string("WebP"));
  CHECK(info("small_frame.webp").width == 50);
  CHECK(info("small_frame.webp").height == 30);
  CHECK(info("rgb.tif").format == std::string("TIFF"));
  CHECK(info("big_m.tif").height == 23);
  CHECK(info("big_m.tif").width == 37);
  CHECK(is_image_name("a.webp"));
  CHECK(is_image_name("a.TIF"));
  CHECK(is_image_name("a.tiff"));
  CHECK(channels("lossless.webp") == 3);
  CHECK(channels("lossy_alpha.webp") == 4);
  CHECK(channels("bits_group4.tif") == 1);
  CHECK(channels("grey_alpha.tif") == 2);
  CHECK(channels("palette.tif") == 3);
  CHECK(channels("rgba.tif") == 4);
  CHECK(channels("cmyk.tif") == 4);
}

TEST_CASE("a WebP or TIFF that ends early is an error wherever it is cut") {
  for (const char* name :
       {"lossy.webp", "lossless.webp", "lossy_alpha.webp", "animated.webp", "small_frame.webp",
        "rgb.tif", "rgb_lzw.tif", "rgb_zstd.tif", "rgb_lzma.tif", "rgb_webp.tif", "bits_group3.tif",
        "bits_group4.tif", "jpeg_old.tif", "jpeg_half_tiles.tif", "ycbcr_half_deflate.tif",
        "big_m.tif", "rgb_planes_8.tif", "grey16_deflate_i.tif"}) {
    const std::vector<std::byte> whole = sample(name);
    CHECK(decode_error(whole).empty());
    for (std::size_t length = 4; length < whole.size(); ++length) {
      const std::string error = decode_error(std::span(whole).first(length));
      INFO(name << " cut to " << length << " of " << whole.size() << ": " << error);
      if (length >= 16) REQUIRE(error == "a: it ends early; get it again");
      REQUIRE(error.starts_with("a: "));
    }
  }
}

TEST_CASE("data that stop in the middle of a TIFF whose directory is whole are an error") {
  for (const char* name : {"bits_group3.tif", "bits_group4.tif", "bits_ccitt.tif", "rgb_lzw.tif",
                           "rgb_jpeg.tif", "rgb_zstd.tif"}) {
    std::vector<std::byte> file = sample(name);
    std::fill(file.begin() + 60, file.begin() + 120, std::byte{0});
    INFO(name);
    CHECK(Catch::Contains("it is damaged (").match(decode_error(file)));
  }
}

TEST_CASE("kinds of TIFF that are not read are named, with what converts them") {
  CHECK(decode_error(tiff({})).empty());
  CHECK(decode_error(tiff({{258, 32}, {339, 3}})) ==
        unread("of floating-point samples of 32 bits"));
  CHECK(decode_error(tiff({{258, 32}, {279, 64}})) == unread("of 1 sample of 32 bits a pixel"));
  CHECK(decode_error(tiff({{258, 16}, {339, 2}})) == unread("of signed samples of 16 bits"));
  CHECK(decode_error(tiff({{339, 2}})) == unread("of signed samples of 8 bits"));
  CHECK(decode_error(tiff({{258, 16}, {262, 0}})) ==
        unread("of 1 inverted sample of 16 bits a pixel"));
  CHECK(decode_error(tiff({{277, 3}, {262, 8}})) == unread("of L*a*b* colours"));
  CHECK(decode_error(tiff({{262, 32803}})) == unread("of a camera's raw samples"));
  CHECK(decode_error(tiff({{259, 34661}})) == unread("of compression ISO JBIG"));
  CHECK(decode_error(tiff({{259, 34712}})) == unread("of compression 34712"));
  CHECK(decode_error(tiff({{277, 2}, {338, 1}})) == unread("of 2 samples a pixel, with alpha"));
  CHECK(decode_error(tiff({{258, 16}, {262, 3}})) == unread("of a palette of 16 bits"));
  CHECK(decode_error(tiff({{262, 3}})) == "a: it is damaged (there is no palette); get it again");
  CHECK(decode_error(tiff({{277, 3}, {262, 6}})) == unread("of YCbCr colours without compression"));
  CHECK(decode_error(tiff({{277, 3}, {258, 16}, {262, 2}, {284, 2}})) ==
        unread("in planes of 16 bits without compression"));
  CHECK(decode_error(tiff({{277, 3}, {262, 2}, {284, 2}, {266, 2}})) ==
        unread("in planes without compression, with its bits reversed"));
  CHECK(decode_error(tiff({{277, 4}, {262, 2}, {284, 2}})) ==
        unread("in planes that does not say what all of them are"));
}

TEST_CASE("a TIFF without a size, a strip or rows in a strip is damaged") {
  for (const Tags& tags : {Tags{{256, 0}}, Tags{{257, 0}}, Tags{{278, 0}},
                           Tags{{322, 0}, {323, 16}, {324, 8}, {325, 16}}, Tags{{277, 0}}}) {
    const std::string error = decode_error(tiff(tags));
    INFO(error);
    CHECK(error.starts_with("a: "));
    CHECK(error.ends_with("; get it again"));
  }
}

TEST_CASE("a WebP or TIFF that claims 60,000 by 60,000 pixels takes no memory for them") {
  const std::string many =
      "a: 60000x60000 pixels are more than the 178956970 that an image may have; "
      "shrink it or raise --max-image-pixels";
  const DecoderOptions any_size = {.max_pixels = 10'000'000'000};
  const std::vector<std::byte> large_tiff = tiff({{256, 60000}, {257, 60000}, {278, 60000}});
  CHECK(decode_error(large_tiff) == many);
  CHECK(decode_error(large_tiff, any_size) ==
        "a: decoding it takes 3.4 GiB, more than the 128 MiB that an image may; shrink it or "
        "raise --memory-budget");

  std::vector<std::byte> webp = sample("small_frame.webp");
  for (const std::size_t at : {24U, 27U}) {  // 59,999 in three bytes
    webp[at] = std::byte{0x5F};
    webp[at + 1] = std::byte{0xEA};
    webp[at + 2] = std::byte{0};
  }
  CHECK(decode_error(webp) == many);
  CHECK(decode_error(webp, any_size).starts_with("a: decoding it takes 10.1 GiB, more than "));
}

TEST_CASE("memory that is taken beside the pixels counts too") {
  const auto error = [](std::span<const std::byte> file, Bytes most) {
    return decode_error(file, {.max_scratch = most});
  };
  const std::string_view more = "a: decoding it takes ";
  // 37 x 23 pixels of 3 bytes are 2.5 KiB; a lossless WebP takes 4 bytes more a pixel.
  CHECK(error(sample("lossless.webp"), 5_KiB).starts_with(more));
  CHECK(error(sample("lossless.webp"), 6_KiB).empty());
  // A tile of 64 x 64 pixels takes 12 KiB.
  CHECK(error(sample("rgb_large_tile.tif"), 14_KiB).starts_with(more));
  CHECK(error(sample("rgb_large_tile.tif"), 64_KiB).empty());
  const Tags wide_tile = {{322, 60000}, {323, 60000}, {324, 8}, {325, 16}};
  CHECK(error(tiff(wide_tile), 128_MiB).starts_with("a: decoding it takes 3.4 GiB, more than "));
}

TEST_CASE("memory that compressed data demand counts before it is taken") {
  const auto error = [](std::uint32_t compression, const std::string& data, Bytes most) {
    return decode_error(tiff({{259, compression}, {257, 12}, {278, 12}}, data),
                        {.max_scratch = most});
  };
  constexpr std::uint32_t kLzma = 34925, kZstd = 50000;
  CHECK(error(kLzma, xz(22), 10_MiB).empty());
  CHECK(error(kLzma, xz(22), 8_MiB).starts_with("a: decoding it takes 8 MiB, more than "));
  CHECK(error(kLzma, xz(40), 1_GiB).starts_with("a: decoding it takes 4 GiB, more than "));
  CHECK(error(kZstd, "\x28\xB5\x2F\xFD\0\x88"s, 16_MiB)
            .starts_with("a: decoding it takes 128 MiB, more than "));
  // All coefficients of a JPEG of several scans.
  const std::vector<std::byte> jpeg = sample("jpeg_progressive.tif");
  CHECK(decode_error(jpeg, {.max_scratch = 6_KiB}).starts_with("a: decoding it takes "));
  CHECK(decode_error(jpeg, {.max_scratch = 64_KiB}).empty());
}

TEST_CASE("damaged WebP and TIFF files are survived, and the libraries keep silent") {
  INFO("seed " << kSeed);
  const Scratch scratch;
  std::uint32_t pass = 0;
  int errors = 0;
  {
    const Silence silence(scratch / "stderr");
    for (const Case& one : recorded_cases()) {
      if (one.channels == 1) continue;
      const std::vector<std::byte> whole = sample(one.file);
      ++pass;
      for (std::uint64_t i = 0; i < 40; ++i) {
        const auto file = damaged(whole, Random(kSeed, pass, i, Purpose::user));
        const std::string error =
            decode_error(file, {.max_pixels = 1'000'000, .max_scratch = 16_MiB});
        if (!error.empty()) ++errors;
      }
    }
  }
  CHECK(text_of(scratch / "stderr").empty());
  CHECK(errors > 500);
}
