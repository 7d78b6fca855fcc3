#include "catch.h"
#include "nodes/whole_samples.h"

#include <millrace/nn/preprocessing.h>
#include <millrace/nodes/fit_statistics.h>
#include <millrace/nodes/moments.h>
#include <millrace/nodes/whitening.h>

#include <random>

using namespace millrace;
using Catch::Contains;

namespace {

SampleSet images(const nlohmann::json& set) {
  return SampleSet::all(std::make_shared<const test::Images>(set));
}

/// Rows of features: sample i, feature j is 1e6 (j + 1) + i.
class Rows final : public Dataset {
 public:
  [[nodiscard]] std::uint32_t size() const noexcept override { return 100; }
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return classes_;
  }
  [[nodiscard]] int label(std::uint32_t) const override { return 0; }
  [[nodiscard]] std::string name(std::uint32_t index) const override {
    return std::to_string(index);
  }
  [[nodiscard]] Bytes index_bytes() const noexcept override { return {}; }
  [[nodiscard]] Shape natural_shape() const override { return {2}; }
  [[nodiscard]] DType dtype() const noexcept override { return DType::f32; }
  void load(std::uint32_t index, TensorView target, Filter, Decoder&) const override {
    const auto row = target.as<float>();
    for (std::size_t j = 0; j < 2; ++j) {
      row[j] = 1e6F * static_cast<float>(j + 1) + static_cast<float>(index);
    }
  }

 private:
  std::vector<std::string> classes_{"one"};
};

}  // namespace

TEST_CASE("mean, deviation and whitening are those of ImageDataGenerator.fit") {
  for (const auto& set : test::statistics_sets()) {
    for (const auto& c : set.at("cases")) {
      const FitOptions options{.center = c.at("featurewise_center").get<bool>(),
                               .deviation = c.at("featurewise_std_normalization").get<bool>(),
                               .zca = c.at("zca_whitening").get<bool>(),
                               .zca_epsilon = c.at("zca_epsilon").get<double>(),
                               .threads = 2};
      if (!options.center) continue;
      const nn::Preprocessing fitted = fit_statistics(
          images(set), test::shape_of(set), {.scale = c.at("scale").get<float>()}, options);
      CHECK(test::relative_error(fitted.mean, c.at("mean")) < 1e-6);
      if (options.deviation) {
        CHECK(test::relative_error(fitted.deviation, c.at("std")) < 1e-4);
      } else {
        CHECK(fitted.deviation.empty());
      }
      CHECK(fitted.whiten == options.zca);
      if (options.zca) CHECK(test::relative_error(*fitted.whitening, c.at("matrix")) < 1e-4);
    }
  }
}

TEST_CASE("what is fitted is the same to the bit for any number of threads") {
  const auto& set = test::statistics_sets()[0];
  const auto fit = [&](int threads) {
    return fit_statistics(images(set), test::shape_of(set), {},
                          {.center = true, .zca = true, .threads = threads});
  };
  const nn::Preprocessing one = fit(1);
  for (const int threads : {2, 7}) {
    const nn::Preprocessing more = fit(threads);
    CHECK(more.mean == one.mean);
    CHECK(*more.whitening == *one.whitening);
  }
}

TEST_CASE("a subset is spread over the whole set") {
  const auto rows = SampleSet::all(std::make_shared<const Rows>());
  // Samples 0, 25, 50, 75.
  const nn::Preprocessing fitted =
      fit_statistics(rows, {2}, {.scale = 1}, {.center = true, .samples = 4});
  CHECK(fitted.mean == std::vector<float>{1e6F + 37.5F, 2e6F + 37.5F});
}

TEST_CASE("features far from zero keep the digits of their deviation") {
  const auto rows = SampleSet::all(std::make_shared<const Rows>());
  const nn::Preprocessing fitted =
      fit_statistics(rows, {2}, {.scale = 1}, {.center = true, .deviation = true});
  // The population deviation of 0, 1, ..., 99 is sqrt((100^2 - 1) / 12).
  for (const float deviation : fitted.deviation) CHECK(deviation == Approx(28.8660700));
}

TEST_CASE("a model that sees BGR gets its statistics in that order") {
  const auto& set = test::statistics_sets()[0];
  const auto fit = [&](nn::ChannelOrder order) {
    return fit_statistics(images(set), test::shape_of(set), {.order = order},
                          {.center = true, .zca = true});
  };
  const nn::Preprocessing rgb = fit(nn::ChannelOrder::rgb), bgr = fit(nn::ChannelOrder::bgr);
  CHECK(bgr.mean == std::vector<float>{rgb.mean[2], rgb.mean[1], rgb.mean[0]});
  const auto swapped = [](std::size_t i) { return i - i % 3 + 2 - i % 3; };
  const std::size_t n = 48;
  double error = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      error = std::max(
          error, std::abs(static_cast<double>((*bgr.whitening)[i * n + j]) -
                          static_cast<double>((*rgb.whitening)[swapped(i) * n + swapped(j)])));
    }
  }
  CHECK(error < 1e-3);  // of numbers up to 100; the eigenvectors differ in rounding
}

TEST_CASE("directions in which samples do not vary are left out, not blown up") {
  // Four pixels, of which the last two are always black: between them nothing varies.
  std::mt19937 random(3);
  const auto matrix_of = [&](double epsilon) {
    Moments moments({1, 4, 1}, true);
    std::vector<std::uint8_t> pixels(4 * 200);
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      pixels[i] = i % 4 < 2 ? static_cast<std::uint8_t>(random() % 256) : 0;
    }
    moments.add({std::as_bytes(std::span(pixels)).data(), {200, 1, 4, 1}, DType::u8});
    return zca_matrix(moments.take_centred_pairs(), 200, epsilon);
  };
  for (const float value : matrix_of(1e-6)) CHECK(std::abs(value) < 1);
  // Where epsilon decides the gain it is Keras's: half of sqrt(200) / 0.1 on these two pixels.
  CHECK(matrix_of(0.1)[3 * 4 + 3] == Approx(std::sqrt(200.0) / 0.1 / 2).epsilon(0.01));
}

TEST_CASE("sums of pairs of pixels are exact, in any order of adding") {
  // 600 samples of extreme pixels: three blocks, sums of products near 2^24 within a block.
  std::mt19937 random(5);
  std::vector<std::uint8_t> pixels(600 * 12);
  for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(255 - random() % 3);
  Moments forward({2, 2, 3}, true), backward({2, 2, 3}, true);
  for (std::int64_t i = 0; i < 600; ++i) {
    forward.add({std::as_bytes(std::span(pixels)).data() + 12 * i, {1, 2, 2, 3}, DType::u8});
    backward.add(
        {std::as_bytes(std::span(pixels)).data() + 12 * (599 - i), {1, 2, 2, 3}, DType::u8});
  }
  CHECK(forward.mean() == backward.mean());
  CHECK(forward.take_centred_pairs() == backward.take_centred_pairs());
}

TEST_CASE("a fit that makes no sense is refused in one line") {
  const auto& set = test::statistics_sets()[0];
  const auto fit = [&](const FitOptions& options, Shape sample) {
    return fit_statistics(images(set), sample, {}, options);
  };
  CHECK_THROWS_WITH(fit({}, {4, 4, 3}), Contains("nothing to fit"));
  CHECK_THROWS_WITH(fit({.deviation = true, .zca = true}, {4, 4, 3}),
                    Contains("leave out deviation or zca"));
  CHECK_THROWS_WITH(fit({.zca = true}, {150, 150, 3}),
                    Contains("67500 x 67500 numbers (17 GiB); the limit is 4096 elements"));
  const auto rows = SampleSet::all(std::make_shared<const Rows>());
  CHECK_THROWS_WITH(fit_statistics(rows, {2}, {}, {.zca = true}), Contains("rows of numbers"));
  CHECK_THROWS_AS(fit({.zca = true, .budget = Bytes{1000}}, {4, 4, 3}), BudgetError);
}
