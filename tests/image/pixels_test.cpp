#include <millrace/image/pixels.h>

#include "catch.h"

#include <array>
#include <vector>

using namespace millrace;

namespace {
using Samples = std::vector<std::uint8_t>;

Samples converted(const Samples& source, int from, int to) {
  const int width = static_cast<int>(source.size()) / from;
  Samples target(static_cast<std::size_t>(width * to));
  convert_row(source.data(), from, target.data(), to, width);
  return target;
}
}  // namespace

TEST_CASE("colour becomes grey by Pillow's luma") {
  // Image.new("RGB", (1, 1), colour).convert("L") of Pillow 12.1.1.
  CHECK(converted({255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 12, 200, 99}, 3, 1) ==
        Samples{76, 150, 29, 255, 132});
}

TEST_CASE("grey becomes three equal channels and alpha is dropped without blending") {
  CHECK(converted({7, 9}, 1, 3) == Samples{7, 7, 7, 9, 9, 9});
  CHECK(converted({7, 0, 9, 255}, 2, 3) == Samples{7, 7, 7, 9, 9, 9});
  CHECK(converted({7, 0, 9, 255}, 2, 1) == Samples{7, 9});
  CHECK(converted({1, 2, 3, 0, 4, 5, 6, 128}, 4, 3) == Samples{1, 2, 3, 4, 5, 6});
  CHECK(converted({255, 0, 0, 0}, 4, 1) == Samples{76});
}

TEST_CASE("CMYK becomes RGB as in Pillow, with and without Adobe's inversion") {
  // Image.new("CMYK", (1, 1), (10, 200, 90, 40)).convert("RGB") of Pillow 12.1.1.
  const Samples ink = {10, 200, 90, 40};
  Samples rgb(3);
  convert_cmyk_row(ink.data(), false, rgb.data(), 1);
  CHECK(rgb == Samples{207, 46, 139});
  const Samples inverted = {245, 55, 165, 215};
  convert_cmyk_row(inverted.data(), true, rgb.data(), 1);
  CHECK(rgb == Samples{207, 46, 139});
}
