#include <millrace/image/augmentation.h>

#include "catch.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

using namespace millrace;

namespace {

constexpr std::uint32_t kDraws = 20'000;
using Rectangle = RandomErasing::Rectangle;

std::vector<Rectangle> drawn(const RandomErasing& erasing, int height, int width) {
  std::vector<Rectangle> all;
  for (std::uint32_t i = 0; i < kDraws; ++i) {
    if (const auto one = erasing.draw(height, width, {5, 0, i})) all.push_back(*one);
  }
  return all;
}

/// Whether a rectangle within half a pixel of this one has an area and an aspect in these ranges.
bool is_of(const RandomErasing& erasing, const Rectangle& r, double pixels) {
  const double more = 0.5, rows = r.height, columns = r.width;
  return (rows + more) * (columns + more) >= erasing.area.low * pixels &&
         (rows - more) * (columns - more) <= erasing.area.high * pixels &&
         (rows + more) / (columns - more) >= erasing.aspect.low &&
         (rows - more) / (columns + more) <= erasing.aspect.high;
}

std::string refusal(const RandomErasing& erasing) {
  try {
    check({.erasing = erasing}, "--");
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("erased rectangles have an area and an aspect in their ranges and lie in the image") {
  const auto [height, width] = GENERATE(table<int, int>({{100, 200}, {224, 224}, {28, 28}}));
  for (const RandomErasing& erasing :
       {RandomErasing{.probability = 1},
        RandomErasing{.probability = 1, .area = {0.1, 0.2}, .aspect = {0.5, 1}},
        RandomErasing{.probability = 1, .area = {0.05, 0.05}, .aspect = {2, 2}}}) {
    for (const Rectangle& r : drawn(erasing, height, width)) {
      REQUIRE(is_of(erasing, r, double{1} * height * width));
      REQUIRE(r.top >= 0);
      REQUIRE(r.left >= 0);
      REQUIRE(r.top + r.height <= height);
      REQUIRE(r.left + r.width <= width);
    }
  }
}

TEST_CASE("areas are spread evenly, aspects by their logarithms, and places over the image") {
  // In a square so large, and areas so small, that every try fits and rounding is little.
  constexpr int kSide = 2000;
  const RandomErasing erasing{.probability = 1, .area = {0.02, 0.06}, .aspect = {0.5, 2}};
  const auto all = drawn(erasing, kSide, kSide);
  REQUIRE(all.size() == kDraws);
  std::vector<int> areas(10), aspects(10), tops(10), lefts(10);
  const auto count = [](std::vector<int>& tenths, double share) {
    ++tenths[static_cast<std::size_t>(std::clamp(10 * share, 0.0, 9.0))];
  };
  for (const Rectangle& r : all) {
    const double area = double{1} * r.height * r.width / (double{kSide} * kSide);
    count(areas, (area - 0.02) / 0.04);
    count(aspects, std::log2(double{1} * r.height / r.width) / 2 + 0.5);
    count(tops, double{1} * r.top / (kSide - r.height + 1));
    count(lefts, double{1} * r.left / (kSide - r.width + 1));
  }
  for (const auto* tenths : {&areas, &aspects, &tops, &lefts}) {
    for (const int n : *tenths) CHECK(n == Approx(kDraws / 10.0).margin(5 * 42.5));  // 5 deviations
  }
}

TEST_CASE("the share of images in which something is erased is the probability") {
  for (const double probability : {0.1, 0.5, 0.9}) {
    const auto n = static_cast<double>(drawn({.probability = probability}, 100, 100).size());
    CHECK(n == Approx(kDraws * probability)
                   .margin(5 * std::sqrt(kDraws * probability * (1 - probability))));
  }
  CHECK(drawn({}, 100, 100).empty());
  CHECK(drawn({.probability = 1}, 100, 100).size() == kDraws);
}

TEST_CASE("an image in which no rectangle fits is left alone") {
  CHECK(drawn({.probability = 1}, 1, 1).empty());
  CHECK(drawn({.probability = 1}, 1, 100).empty());
  CHECK(drawn({.probability = 1, .area = {1, 1}, .aspect = {1, 1}}, 50, 50).empty());
}

TEST_CASE("erasing changes the pixels of its rectangle, in all channels, and no other") {
  const RandomErasing erasing{.probability = 1, .value = 99.6};
  constexpr int kHeight = 20, kWidth = 30, kChannels = 3;
  for (std::uint32_t i = 0; i < 200; ++i) {
    const RandomKey key{1, 2, i};
    const Rectangle r = erasing.draw(kHeight, kWidth, key).value();
    // Rows have a gap behind them, which is nobody's.
    constexpr std::size_t kStride = kWidth * kChannels + 7;
    std::vector<std::uint8_t> bytes(kHeight * kStride, 7);
    std::vector<float> floats(bytes.size(), 7);
    erasing(ImageView(bytes.data(), kHeight, kWidth, kChannels, kStride), key);
    erasing(FloatImageView(floats.data(), kHeight, kWidth, kChannels, kStride), key);
    bool agrees = true;
    for (std::size_t k = 0; k < bytes.size(); ++k) {
      const int y = static_cast<int>(k / kStride), x = static_cast<int>(k % kStride) / kChannels;
      const bool is_inside = y >= r.top && y < r.top + r.height && x >= r.left &&
                             x < r.left + r.width && k % kStride < kWidth * kChannels;
      agrees = agrees && bytes[k] == (is_inside ? 100 : 7);
      agrees = agrees && floats[k] == (is_inside ? 99.6F : 7.0F);
    }
    REQUIRE(agrees);
  }
}

TEST_CASE("erasing changes what nothing else draws, and only moves are no longer all") {
  const AugmentOptions plain{.horizontal_flip = true,
                             .crop_padding = 2,
                             .rotation_range = 40,
                             .brightness_range = Interval{0.5, 1.5}};
  AugmentOptions erased = plain;
  erased.erasing.probability = 0.5;
  for (std::uint32_t i = 0; i < 100; ++i) {
    const RandomKey key{1, 2, i};
    const Transform a = draw_transform(plain, 20, 30, key), b = draw_transform(erased, 20, 30, key);
    CHECK(a.affine.theta == b.affine.theta);
    CHECK(a.flips.horizontal == b.flips.horizontal);
    CHECK(a.colour.brightness == b.colour.brightness);
    CHECK(draw_crop(plain, 20, 30, key) == draw_crop(erased, 20, 30, key));
  }
  CHECK(AugmentOptions{.erasing = {.value = 5}}.is_identity());
  CHECK_FALSE(AugmentOptions{.erasing = {.probability = 0.1}}.is_identity());
  CHECK(only_moves({.horizontal_flip = true}));
  CHECK_FALSE(only_moves({.horizontal_flip = true, .erasing = {.probability = 0.1}}));
}

TEST_CASE("options of erasing out of range are refused in one line that names them") {
  CHECK(refusal({.probability = 1}).empty());
  CHECK(refusal({.probability = 1.5}) == "--erase-probability must be in 0 to 1, not 1.5");
  CHECK(refusal({.probability = NAN}) == "--erase-probability must be in 0 to 1, not nan");
  CHECK(refusal({.area = {0.3, 0.1}}) ==
        "--erase-area must be LOW,HIGH with LOW at most HIGH, not 0.3,0.1");
  CHECK(refusal({.area = {0.3, 1.1}}) == "--erase-area must be at most 1, not 1.1");
  CHECK(refusal({.area = {-0.1, 0.1}}) == "--erase-area must be 0 or more, not -0.1");
  CHECK(refusal({.aspect = {0, 2}}) == "--erase-aspect must be above 0, not 0");
  CHECK(refusal({.aspect = {0.3, NAN}}) ==
        "--erase-aspect must be LOW,HIGH with LOW at most HIGH, not 0.3,nan");
  CHECK(refusal({.value = 256}) == "--erase-value must be in 0 to 255, not 256");
}
