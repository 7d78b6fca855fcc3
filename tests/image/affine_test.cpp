#include <millrace/image/affine.h>

#include "image/recorded_changes.h"

#include <hwy/targets.h>
#include <cmath>
#include <functional>
#include <numeric>

using namespace millrace;
using namespace millrace::test;

namespace {

Floats applied(const RecordedChange& c, bool keras_compat) {
  Floats result = c.image();
  Transformer(c.sampling, keras_compat).apply(c.transform, c.view(result));
  return result;
}

// Within 1e-3 of what was recorded, on the scale of 0 to 255; the sum of all samples within 1e-4
// for each, so that one sample that is wrong by one level shows wherever it is.
void check_recorded(const RecordedChange& c, const Floats& result) {
  INFO(describe(c));
  bool agrees = std::abs(weighted_sum(result) - c.sum) < 3e-4 * static_cast<double>(c.size());
  for (std::size_t i = 0; i < c.samples.size(); ++i) {
    agrees = agrees && std::abs(static_cast<double>(result[c.place(i)]) - c.samples[i]) < 1e-3;
  }
  CHECK(agrees);
}

Floats matrix_of_tests() {  // rows 1 2 3 4, 5 6 7 8, ...
  Floats values(16);
  std::iota(values.begin(), values.end(), 1.0F);
  return values;
}

Floats resampled(Floats image, const AffineParameters& parameters, Sampling sampling,
                 bool keras_compat = true, int height = 4, int width = 4) {
  const FloatImageView view(image.data(), height, width, 1);
  AffineSampler(sampling).resample(view, affine_matrix(parameters, height, width, keras_compat), {},
                                   view);
  return image;
}

void check_close(const Floats& result, const Floats& expected) {
  REQUIRE(result.size() == expected.size());
  for (std::size_t i = 0; i < result.size(); ++i) {
    CHECK(result[i] == Approx(expected[i]).margin(2e-5));
  }
}

// Runs the test with every instruction set that this processor has, from the oldest on.
void with_every_instruction_set(const std::function<void()>& test) {
  const std::int64_t supported = hwy::SupportedTargets();
  for (std::int64_t target_set = std::int64_t{1} << 61; target_set > 0; target_set >>= 1) {
    if ((supported & target_set) == 0) continue;
    hwy::SetSupportedTargetsForTest(target_set);
    INFO("instruction set " << hwy::TargetName(target_set));
    test();
  }
  hwy::SetSupportedTargetsForTest(0);  // all again
}

}  // namespace

TEST_CASE("with keras_compat 1,000 changes that Keras drew give what Keras gave") {
  std::size_t moved = 0, cases = 0;
  for (const RecordedChange& c : recorded_changes("augmentation_keras.csv")) {
    if (c.transform.colour.brightness) continue;
    check_recorded(c, applied(c, true));
    ++cases;
    moved += c.transform.affine.is_identity() ? 0 : 1;
  }
  CHECK(cases == 1000);
  CHECK(moved > 950);
}

TEST_CASE("the documented geometry gives what SciPy gives for the documented map of points") {
  const auto changes = recorded_changes("augmentation_scipy.csv");
  REQUIRE(changes.size() == 500);
  for (const RecordedChange& c : changes) check_recorded(c, applied(c, false));
}

TEST_CASE("8-bit images get the float result rounded, to the bit") {
  for (const char* name : {"augmentation_keras.csv", "augmentation_scipy.csv"}) {
    for (const RecordedChange& c : recorded_changes(name)) {
      if (c.kind != "whole") continue;
      const Floats image = c.image();
      Bytes8 result(image.begin(), image.end());
      const bool keras = name == std::string("augmentation_keras.csv");
      Transformer(c.sampling, keras).apply(c.transform, c.view(result));
      const Floats exact = applied(c, keras);
      INFO(describe(c));
      bool agrees = true;
      for (std::size_t i = 0; i < result.size(); ++i) {
        agrees = agrees && result[i] == static_cast<std::uint8_t>(exact[i] + 0.5F);
      }
      CHECK(agrees);
      if (c.transform.colour.brightness) continue;
      for (std::size_t i = 0; i < c.samples.size(); ++i) {  // no further off than rounding is
        agrees = agrees && std::abs(result[c.place(i)] - c.samples[i]) < 0.5 + 1e-3;
      }
      CHECK(agrees);
    }
  }
}

TEST_CASE("every instruction set gives the same pixels to the bit") {
  const auto changes = recorded_changes("augmentation_scipy.csv");
  std::vector<Floats> first;
  with_every_instruction_set([&] {
    for (std::size_t i = 0; i < 60; ++i) {
      const Floats result = applied(changes[i], i % 2 == 0);
      if (first.size() <= i) first.push_back(result);
      INFO(describe(changes[i]));
      CHECK(result == first[i]);
      Bytes8 bytes(result.size());
      std::transform(result.begin(), result.end(), bytes.begin(),
                     [](float v) { return static_cast<std::uint8_t>(v + 0.5F); });
      const Floats image = changes[i].image();
      if (changes[i].kind != "whole") continue;
      Bytes8 rounded(image.begin(), image.end());
      Transformer(changes[i].sampling, i % 2 == 0)
          .apply(changes[i].transform, changes[i].view(rounded));
      CHECK(rounded == bytes);
    }
  });
}

TEST_CASE("the documented vectors of Keras's geometry") {
  const Floats image = matrix_of_tests();
  check_close(resampled(image, {.theta = 90}, {}),
              {4, 8, 12, 16, 3, 7, 11, 15, 2, 6, 10, 14, 1, 5, 9, 13});
  check_close(resampled(image, {.theta = 30}, {.fill = Fill::constant}),
              {0, 0, 5.48686F, 0, 2.718911F, 5.584936F, 8.450962F, 0, 0, 8.549038F, 11.415064F,
               14.281089F, 0, 11.51314F, 0, 0});
  check_close(
      resampled(image, {.theta = 30}, {.fill = Fill::wrap, .keras_wrap = true}),
      {11.754809F, 14.620835F, 5.48686F, 5.352886F, 2.718911F, 5.584936F, 8.450962F, 8.316987F,
       8.683013F, 8.549038F, 11.415064F, 14.281089F, 11.647114F, 11.51314F, 2.379165F, 5.245191F});
  check_close(resampled(image, {.zx = 0.5}, {}),
              {1.75F, 2.25F, 2.75F, 3.25F, 5.75F, 6.25F, 6.75F, 7.25F, 9.75F, 10.25F, 10.75F,
               11.25F, 13.75F, 14.25F, 14.75F, 15.25F});
  check_close(resampled(image, {.zx = 2, .zy = 2}, {.fill = Fill::constant}),
              {0, 0, 0, 0, 0, 3.5F, 5.5F, 0, 0, 11.5F, 13.5F, 0, 0, 0, 0, 0});
  check_close(
      resampled(image, {.shear = 45}, {}),
      {3.818019F, 4.818019F, 5.757359F, 5.757359F, 5.93934F, 6.93934F, 7.93934F, 8.585786F,
       8.414214F, 9.06066F, 10.06066F, 11.06066F, 11.242641F, 11.242641F, 12.181981F, 13.181981F});
  // A height shift moves columns, and the centre of an image that is not square is wrong.
  check_close(resampled(image, {.tx = 1}, {}),
              {2, 3, 4, 4, 6, 7, 8, 8, 10, 11, 12, 12, 14, 15, 16, 16});
  Floats wide(12);
  std::iota(wide.begin(), wide.end(), 1.0F);
  check_close(resampled(wide, {.theta = 180}, {}, true, 2, 6),
              {8, 7, 7, 7, 7, 7, 8, 7, 7, 7, 7, 7});
}

TEST_CASE("by default shifts go where their names say and rotation is about the true centre") {
  const Floats image = matrix_of_tests();
  check_close(resampled(image, {.tx = 1}, {}, false),
              {5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 13, 14, 15, 16});
  check_close(resampled(image, {.ty = 1}, {}, false),
              {2, 3, 4, 4, 6, 7, 8, 8, 10, 11, 12, 12, 14, 15, 16, 16});
  check_close(resampled(image, {.theta = 90}, {}, false),  // counter-clockwise
              {4, 8, 12, 16, 3, 7, 11, 15, 2, 6, 10, 14, 1, 5, 9, 13});
  Floats wide(12);
  std::iota(wide.begin(), wide.end(), 1.0F);
  Floats upside_down(wide.rbegin(), wide.rend());
  check_close(resampled(wide, {.theta = 180}, {}, false, 2, 6), upside_down);
}

TEST_CASE("each fill mode continues a row as documented") {
  const Floats row = {1, 2, 3, 4};
  const auto shifted = [&](Sampling sampling, double by) {  // the row seen from `by` on
    return resampled(row, {.ty = by}, sampling, false, 1, 4);
  };
  CHECK(shifted({.fill = Fill::nearest}, 3) == Floats{4, 4, 4, 4});
  CHECK(shifted({.fill = Fill::nearest}, -9) == Floats{1, 1, 1, 1});
  CHECK(shifted({.fill = Fill::constant, .cval = 7}, 2) == Floats{3, 4, 7, 7});
  CHECK(shifted({.fill = Fill::constant, .cval = 7}, 0.5) == Floats{1.5F, 2.5F, 3.5F, 7});
  CHECK(shifted({.fill = Fill::reflect}, 2) == Floats{3, 4, 4, 3});
  CHECK(shifted({.fill = Fill::reflect}, -3) == Floats{3, 2, 1, 1});
  CHECK(shifted({.fill = Fill::reflect}, 9) == Floats{2, 3, 4, 4});
  CHECK(shifted({.fill = Fill::wrap}, 2) == Floats{3, 4, 1, 2});
  CHECK(shifted({.fill = Fill::wrap}, 0.5) == Floats{1.5F, 2.5F, 3.5F, 2.5F});
  CHECK(shifted({.fill = Fill::wrap}, -5) == Floats{4, 1, 2, 3});
  CHECK(shifted({.fill = Fill::wrap, .keras_wrap = true}, 2) == Floats{3, 4, 2, 3});
}

TEST_CASE("images of one pixel, of two and of five channels, far outside and mirrored") {
  for (const Fill fill : {Fill::nearest, Fill::reflect, Fill::wrap}) {
    for (const bool keras : {false, true}) {
      Floats pixel = {9};
      AffineSampler({.fill = fill, .keras_wrap = keras})
          .resample(FloatImageView(pixel.data(), 1, 1, 1),
                    affine_matrix({.theta = 33, .tx = 1e5, .ty = -7.5, .zx = 900}, 1, 1, keras), {},
                    FloatImageView(pixel.data(), 1, 1, 1));
      CHECK(pixel == Floats{9});
    }
  }
  for (const int channels : {2, 5}) {
    const auto depth = static_cast<std::size_t>(channels);
    Floats image(6 * depth), expected;
    std::iota(image.begin(), image.end(), 0.0F);
    for (const std::size_t pixel : {2U, 2U, 1U}) {  // of 0 1 2: shifted left by one, then mirrored
      for (std::size_t k = 0; k < depth; ++k) {
        expected.push_back(static_cast<float>(pixel * depth + k));
      }
    }
    AffineSampler sampler(Sampling{});
    const FloatImageView view(image.data(), 2, 3, channels);
    sampler.resample(view, affine_matrix({.ty = 1}, 2, 3), {.horizontal = true}, view);
    CHECK(Floats(image.begin(), image.begin() + 3 * channels) == expected);
  }
}

TEST_CASE("the target may have another size than the source") {
  Floats source = {1, 2, 3, 4}, target(9);
  AffineSampler sampler(Sampling{});
  const AffineMatrix half{.rr = 0.5, .rc = 0, .r0 = 0, .cr = 0, .cc = 0.5, .c0 = 0};
  sampler.resample(ConstFloatImageView(source.data(), 2, 2, 1), half, {},
                   FloatImageView(target.data(), 3, 3, 1));
  CHECK(target == Floats{1, 1.5F, 2, 2, 2.5F, 3, 3, 3.5F, 4});
}

TEST_CASE("what a sampler cannot do is refused in one line") {
  CHECK_THROWS_WITH(AffineSampler({.order = 3}),
                    "interpolation order must be 0 (nearest pixel) or 1 (bilinear), not 3");
  CHECK_THROWS_AS(AffineSampler({.cval = NAN}), UsageError);
  CHECK_THROWS_WITH(fill_from_name("mirror"),
                    "'mirror' is not a fill mode; choose one of nearest, constant, reflect, wrap");
  CHECK(to_string(fill_from_name("reflect")) == std::string("reflect"));
  Floats image(4);
  AffineSampler sampler(Sampling{});
  CHECK_THROWS_AS(sampler.resample(FloatImageView(image.data(), 2, 2, 1), {.r0 = NAN}, {},
                                   FloatImageView(image.data(), 2, 2, 1)),
                  std::logic_error);
}
