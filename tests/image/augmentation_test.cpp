#include <millrace/image/augmentation.h>

#include "catch.h"

#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <vector>

using namespace millrace;

namespace {

constexpr int kHeight = 100, kWidth = 200;
constexpr std::uint32_t kDraws = 20'000;

AugmentOptions everything() {
  return {.horizontal_flip = true,
          .vertical_flip = true,
          .rotation_range = 40,
          .width_shift_range = 0.2,
          .height_shift_range = 5,
          .shear_range = 12,
          .zoom_range = {0.8, 1.2},
          .channel_shift_range = 20,
          .brightness_range = Interval{0.5, 1.5}};
}

std::vector<double> numbers(const Transform& t) {
  return {t.affine.theta,
          t.affine.tx,
          t.affine.ty,
          t.affine.shear,
          t.affine.zx,
          t.affine.zy,
          t.flips.horizontal ? 1.0 : 0.0,
          t.flips.vertical ? 1.0 : 0.0,
          t.colour.channel_shift,
          t.colour.brightness.value_or(-1)};
}

// Checks that values are spread evenly over [low, high]: the share below each tenth, the extremes.
void check_even(const AugmentOptions& options, double low, double high,
                const std::function<double(const Transform&)>& value_of) {
  std::vector<int> tenths(10);
  for (std::uint32_t draw = 0; draw < kDraws; ++draw) {
    const double value = value_of(draw_transform(options, kHeight, kWidth, {5, 0, draw}));
    REQUIRE(value >= low);
    REQUIRE(value <= high);
    ++tenths[static_cast<std::size_t>(std::min(9.0, 10 * (value - low) / (high - low)))];
  }
  for (const int n : tenths) CHECK(n == Approx(kDraws / 10.0).margin(5 * 42.5));  // 5 deviations
}

std::map<double, int> counts(const AugmentOptions& options,
                             const std::function<double(const Transform&)>& value_of) {
  std::map<double, int> found;
  for (std::uint32_t draw = 0; draw < kDraws; ++draw) {
    const double value = value_of(draw_transform(options, kHeight, kWidth, {5, 0, draw}));
    ++found[value == 0 ? 0.0 : value];  // one zero for both signs
  }
  return found;
}

double across(const Transform& t) {
  return t.affine.ty;
}

}  // namespace

TEST_CASE("what is drawn is spread evenly over its range") {
  const AugmentOptions all = everything();
  check_even(all, -40, 40, [](const Transform& t) { return t.affine.theta; });
  check_even(all, -40, 40, [](const Transform& t) { return t.affine.ty; });  // a fifth of 200
  check_even(all, -12, 12, [](const Transform& t) { return t.affine.shear; });
  check_even(all, 0.8, 1.2, [](const Transform& t) { return t.affine.zx; });
  check_even(all, 0.8, 1.2, [](const Transform& t) { return t.affine.zy; });
  check_even(all, -20, 20, [](const Transform& t) { return t.colour.channel_shift; });
  check_even(all, 0.5, 1.5, [](const Transform& t) { return *t.colour.brightness; });
  for (const auto& [value, n] :
       counts(all, [](const Transform& t) { return t.flips.vertical ? 1.0 : 0.0; })) {
    CHECK(n == Approx(kDraws / 2.0).margin(5 * 71));
  }
}

TEST_CASE("shifts by whole pixels are drawn from both sides and zero, equally often") {
  const auto found = counts({.width_shift_range = 2}, across);
  REQUIRE(found.size() == 5);
  for (const auto& [pixels, n] : found) {
    CHECK(std::abs(pixels) <= 2);
    CHECK(n == Approx(kDraws / 5.0).margin(5 * 57));
  }
  CHECK(counts({.width_shift_range = 1}, across).size() == 3);
}

TEST_CASE("shifts from a list get a random sign, and are fractions if all are below 1") {
  const auto found = counts({.width_shift_range = {0, 4, 8}}, across);
  REQUIRE(found.size() == 5);
  CHECK(found.at(0) == Approx(kDraws / 3.0).margin(5 * 67));
  for (const double pixels : {-8.0, -4.0, 4.0, 8.0}) {
    CHECK(found.at(pixels) == Approx(kDraws / 6.0).margin(5 * 53));
  }
  const auto fractions = counts({.width_shift_range = {0.25, 0.5}}, across);
  CHECK(fractions.size() == 4);
  CHECK(fractions.count(-100) == 1);
  CHECK(fractions.count(50) == 1);
}

TEST_CASE("a real shift from 1 on counts pixels") {
  check_even({.width_shift_range = 3.5}, -3.5, 3.5, across);
  check_even({.width_shift_range = 1.0}, -1, 1, across);
}

TEST_CASE("with keras_compat a whole number k is one of 0 to k - 1 with a random sign") {
  CHECK(counts({.width_shift_range = 1, .keras_compat = true}, across).size() == 1);
  const auto found = counts({.width_shift_range = 2, .keras_compat = true}, across);
  REQUIRE(found.size() == 3);
  CHECK(found.at(0) == Approx(kDraws / 2.0).margin(5 * 71));
  CHECK(found.at(-1) == Approx(kDraws / 4.0).margin(5 * 61));
}

TEST_CASE("one option more changes no other's draws") {
  const std::vector<double> all = numbers(draw_transform(everything(), 20, 30, {1, 2, 3}));
  const std::vector<double> none = numbers(draw_transform({}, 20, 30, {1, 2, 3}));
  CHECK(none == std::vector<double>{0, 0, 0, 0, 1, 1, 0, 0, 0, -1});
  const AugmentOptions e = everything();
  const std::vector<std::pair<AugmentOptions, std::vector<std::size_t>>> singles = {
      {{.horizontal_flip = true}, {6}},
      {{.vertical_flip = true}, {7}},
      {{.rotation_range = e.rotation_range}, {0}},
      {{.width_shift_range = e.width_shift_range}, {2}},
      {{.height_shift_range = e.height_shift_range}, {1}},
      {{.shear_range = e.shear_range}, {3}},
      {{.zoom_range = e.zoom_range}, {4, 5}},
      {{.channel_shift_range = e.channel_shift_range}, {8}},
      {{.brightness_range = e.brightness_range}, {9}}};
  for (const auto& [options, places] : singles) {
    std::vector<double> expected = none;
    for (const std::size_t place : places) expected[place] = all[place];
    CHECK(numbers(draw_transform(options, 20, 30, {1, 2, 3})) == expected);
  }
}

TEST_CASE("seed, pass and position each change every draw") {
  const std::vector<double> here = numbers(draw_transform(everything(), 20, 30, {1, 2, 3}));
  CHECK(here == numbers(draw_transform(everything(), 20, 30, {1, 2, 3})));
  for (const RandomKey other : {RandomKey{2, 2, 3}, RandomKey{1, 3, 3}, RandomKey{1, 2, 4}}) {
    const std::vector<double> there = numbers(draw_transform(everything(), 20, 30, other));
    for (const std::size_t place : {0U, 2U, 3U, 4U, 5U, 8U, 9U}) {  // those of real numbers
      CHECK(there[place] != here[place]);
    }
  }
}

TEST_CASE("rows and columns are zoomed by factors of their own") {
  const Transform t = draw_transform({.zoom_range = {0.5, 2}}, 10, 10, {1, 0, 0});
  CHECK(t.affine.zx != t.affine.zy);
}

TEST_CASE("options out of range are refused in one line that names them") {
  const auto refusal = [](const AugmentOptions& options) -> std::string {
    try {
      check(options, "train: --");
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(refusal({}).empty());
  CHECK(refusal(everything()).empty());
  CHECK(refusal({.rotation_range = -1}) ==
        "train: --rotation-range must be in 0 to 360 degrees, not -1");
  CHECK(refusal({.rotation_range = NAN}) ==
        "train: --rotation-range must be in 0 to 360 degrees, not nan");
  CHECK(refusal({.width_shift_range = -0.2}) ==
        "train: --width-shift-range must be 0 or more (below 1: of the size, else pixels), not "
        "-0.2");
  CHECK(refusal({.height_shift_range = ShiftRange(std::vector<double>{})}) ==
        "train: --height-shift-range: the list is empty");
  CHECK(refusal({.shear_range = -3}) == "train: --shear-range must be in 0 to 360 degrees, not -3");
  CHECK(refusal({.zoom_range = {1.2, 0.8}}) ==
        "train: --zoom-range must be LOW,HIGH with LOW at most HIGH, not 1.2,0.8");
  CHECK(refusal({.zoom_range = {0, 2}}) == "train: --zoom-range must be above 0, not 0");
  CHECK(refusal({.channel_shift_range = -1}) ==
        "train: --channel-shift-range must be in 0 to 255, not -1");
  CHECK(refusal({.brightness_range = Interval{-0.5, 1}}) ==
        "train: --brightness-range must be 0 or more, not -0.5");
  CHECK(refusal({.brightness_range = Interval{2, 1}}) ==
        "train: --brightness-range must be LOW,HIGH with LOW at most HIGH, not 2,1");
  CHECK(refusal({.cval = 256}) == "train: --cval must be in 0 to 255, not 256");
  CHECK(refusal({.interpolation_order = 2}) ==
        "train: --interpolation-order must be 0 (nearest pixel) or 1 (bilinear), not 2");
  CHECK(refusal({.crop_padding = -1}) == "train: --crop-padding must be 0 or more, not -1");
}
