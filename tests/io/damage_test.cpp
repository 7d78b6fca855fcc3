// Damaged files at random: a decoder may refuse them or give some image, but must neither crash
// nor read or write where it should not, which a build with sanitizers sees.

#include <millrace/core/random.h>
#include <millrace/io/decode.h>

#include "catch.h"
#include "io/scratch.h"

#include <array>

using namespace millrace;
using namespace millrace::test;

namespace {

constexpr std::uint64_t kSeed = 20240607;

std::vector<std::byte> damaged(std::vector<std::byte> file, Random random) {
  if (random.coin(0.25)) file.resize(random.below(file.size()));
  const std::uint64_t flips = random.below(6);
  for (std::uint64_t i = 0; i < flips && !file.empty(); ++i) {
    file[random.below(file.size())] ^= static_cast<std::byte>(1U << random.below(8));
  }
  return file;
}

// Decodes `count` damaged copies; gives how many were refused.
int refused(const char* name, std::uint64_t count, std::uint32_t pass) {
  const std::vector<std::byte> whole = image(name);
  std::vector<std::uint8_t> target(24 * 24 * 3);
  Decoder decoder({.max_pixels = 1'000'000, .max_scratch = 16_MiB});
  int errors = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto file = damaged(whole, Random(kSeed, pass, i, Purpose::user));
    try {
      decoder.decode(file, name, {target.data(), 24, 24, 3}, Filter::bilinear);
    } catch (const Error& error) {
      ++errors;
      CHECK(std::string(error.what()).starts_with(name));
    }
  }
  return errors;
}

}  // namespace

TEST_CASE("two thousand damaged JPEG files are survived") {
  INFO("seed " << kSeed);
  CHECK(refused("420.jpg", 1000, 0) > 250);
  CHECK(refused("progressive.jpg", 500, 1) > 125);
  CHECK(refused("cmyk.jpg", 500, 2) > 125);
}

TEST_CASE("two thousand damaged PNG files are refused, but for the undamaged ones") {
  INFO("seed " << kSeed);
  CHECK(refused("rgb.png", 1000, 3) > 800);
  CHECK(refused("palette.png", 1000, 4) > 800);
}

TEST_CASE("damaged files of the other formats are survived") {
  INFO("seed " << kSeed);
  for (const char* name :
       {"palette.gif", "rgb.bmp", "rgb.tga", "grey_rle.tga", "rgb.ppm", "rgb.psd"}) {
    CHECK(refused(name, 300, 5) > 40);
  }
}
