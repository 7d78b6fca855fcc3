#include <millrace/io/png.h>

#include <millrace/core/random.h>
#include <millrace/io/decode.h>

#include "catch.h"
#include "io/scratch.h"

#include <numeric>

using namespace millrace;

TEST_CASE("a PNG that was written is read back equal") {
  Decoder decoder;
  Random random(5, 0, 0, Purpose::user);
  for (const int channels : {1, 3}) {
    for (const auto& [height, width] : {std::pair{1, 1}, std::pair{28, 28}, std::pair{33, 70}}) {
      std::vector<std::uint8_t> pixels(static_cast<std::size_t>(height * width * channels));
      for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(random.bits());
      std::vector<std::uint8_t> back(pixels.size());
      decoder.decode(encode_png({pixels.data(), height, width, channels}), "mine.png",
                     {back.data(), height, width, channels}, Filter::nearest);
      CHECK(back == pixels);
    }
  }
}

TEST_CASE("rows with gaps between them are written without the gaps") {
  std::vector<std::uint8_t> gapped(10 * 16);
  std::iota(gapped.begin(), gapped.end(), std::uint8_t{0});
  std::vector<std::uint8_t> dense;
  for (std::size_t y = 0; y < 10; ++y) {
    dense.insert(dense.end(), gapped.begin() + static_cast<int>(16 * y),
                 gapped.begin() + static_cast<int>(16 * y + 9));
  }
  CHECK(encode_png({gapped.data(), 10, 9, 1, 16}) == encode_png({dense.data(), 10, 9, 1}));
}

TEST_CASE("an image that cannot be counted in the format is refused") {
  std::uint8_t pixel = 0;
  CHECK_THROWS_WITH(encode_png({&pixel, 70'000, 70'000, 3}),
                    "an image of 70000x70000 is too large for PNG");
}
