#include <millrace/image/geometry.h>

#include "catch.h"

#include <numeric>
#include <vector>

using namespace millrace;

namespace {
using Samples = std::vector<std::uint8_t>;

Samples counting(std::size_t n) {
  Samples values(n);
  std::iota(values.begin(), values.end(), std::uint8_t{1});
  return values;
}

// A crop by its definition, one pixel at a time.
Samples cropped(const Samples& source, int height, int width, CropOrigin origin, int out_height,
                int out_width, std::uint8_t fill) {
  Samples out;
  for (int y = origin.top; y < origin.top + out_height; ++y) {
    for (int x = origin.left; x < origin.left + out_width; ++x) {
      const bool is_inside = y >= 0 && y < height && x >= 0 && x < width;
      out.push_back(is_inside ? source[static_cast<std::size_t>(y * width + x)] : fill);
    }
  }
  return out;
}
}  // namespace

TEST_CASE("a flip mirrors every row and twice is nothing") {
  Samples rgb = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  flip_horizontal({rgb.data(), 1, 3, 3});
  CHECK(rgb == Samples{7, 8, 9, 4, 5, 6, 1, 2, 3});
  Samples grey = counting(12);
  flip_horizontal({grey.data(), 3, 4, 1});
  CHECK(grey == Samples{4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9});
  flip_horizontal({grey.data(), 3, 4, 1});
  CHECK(grey == counting(12));
  Samples pairs = counting(6);
  flip_horizontal({pairs.data(), 1, 3, 2});
  CHECK(pairs == Samples{5, 6, 3, 4, 1, 2});
}

TEST_CASE("a crop shows the source where it is and the fill elsewhere, wherever it begins") {
  const Samples source = counting(30);  // 5 x 6
  for (int top = -7; top <= 7; ++top) {
    for (int left = -8; left <= 8; ++left) {
      const Samples expected = cropped(source, 5, 6, {top, left}, 4, 3, 99);
      Samples target(12);
      crop({source.data(), 5, 6, 1}, {top, left}, {target.data(), 4, 3, 1}, 99);
      CHECK(target == expected);
      Samples same = source;
      crop_in_place({same.data(), 5, 6, 1}, {top, left}, 99);
      CHECK(same == cropped(source, 5, 6, {top, left}, 5, 6, 99));
    }
  }
}

TEST_CASE("crops of 32 with padding 4 begin everywhere from -4 to 4, equally often") {
  std::vector<int> rows(9), columns(9);
  for (std::uint64_t position = 0; position < 9000; ++position) {
    Random random(11, 0, position, Purpose::crop);
    const CropOrigin origin = draw_crop(random, 32, 32, 4, 32, 32);
    ++rows.at(static_cast<std::size_t>(origin.top + 4));
    ++columns.at(static_cast<std::size_t>(origin.left + 4));
  }
  // 1000 expected, standard deviation 30; five of them.
  for (const int n : rows) CHECK(n == Approx(1000).margin(150));
  for (const int n : columns) CHECK(n == Approx(1000).margin(150));
}

TEST_CASE("a crop larger than the padded image is refused") {
  Random random(1, 0, 0, Purpose::crop);
  CHECK_THROWS_WITH(draw_crop(random, 28, 28, 1, 32, 32),
                    "a crop of 32x32 does not fit into 28x28 pixels with 1 pixels of padding");
}
