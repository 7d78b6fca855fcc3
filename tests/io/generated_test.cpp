#include <millrace/io/generated.h>

#include <millrace/core/error.h>
#include <millrace/io/decode.h>

#include "catch.h"

#include <array>
#include <cmath>
#include <numeric>
#include <vector>

using namespace millrace;
using Catch::Contains;

namespace {

std::vector<std::uint8_t> pixels_of(const GeneratedDataset& data, std::uint32_t index) {
  Decoder decoder;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(data.natural_shape().elements()));
  data.load(index, TensorView(std::span(pixels), data.natural_shape()), Filter::bilinear, decoder);
  return pixels;
}

}  // namespace

TEST_CASE("The word of generated samples says how many, their shape, classes and seed") {
  CHECK(is_generated("generated:10x4:2"));
  CHECK_FALSE(is_generated("photos/generated:10"));
  const GeneratedOptions images = parse_generated("generated:1000x28x28x1:2");
  CHECK(images.samples == 1000);
  CHECK(images.sample == Shape{28, 28, 1});
  CHECK(images.classes == 2);
  CHECK(images.seed == 1);
  const GeneratedOptions rows = parse_generated("generated:50x7:3:99");
  CHECK(rows.sample == Shape{7});
  CHECK(rows.classes == 3);
  CHECK(rows.seed == 99);
}

TEST_CASE("A word of another form is refused with the form") {
  const std::string word =
      GENERATE("generated:", "generated:1000", "generated:1000:2", "generated:1000x28x28:2",
               "generated:0x28x28x1:2", "generated:5x28x28x1:", "generated:5x28x28x1:2:3:4",
               "generated:5x28x-28x1:2", "generated:5x28x28x1:2 ", "generated:99999999999x4:2",
               "generated:5x99999999999x2x1:2", "generated:x4:2", "generated:4x:2");
  CHECK_THROWS_WITH(parse_generated(word), Contains(word) && Contains("1000x28x28x1:2"));
}

TEST_CASE("Shapes and classes that cannot be meant are refused") {
  CHECK_THROWS_AS(GeneratedDataset({.sample = {28, 28, 2}}), UsageError);
  CHECK_THROWS_AS(GeneratedDataset({.classes = 1}), UsageError);
  CHECK_THROWS_AS(GeneratedDataset({.sample = {8000, 8000, 1}, .classes = 3}), UsageError);
}

TEST_CASE("Generated samples are a function of seed and number") {
  const GeneratedDataset data({.samples = 20}), fewer({.samples = 5}),
      other({.samples = 20, .seed = 2});
  CHECK(pixels_of(data, 3) == pixels_of(fewer, 3));
  CHECK(pixels_of(data, 3) != pixels_of(data, 5));
  CHECK(pixels_of(data, 3) != pixels_of(other, 3));
  CHECK(data.classes() == std::vector<std::string>{"0", "1"});
  CHECK(data.label(6) == 0);
  CHECK(data.label(7) == 1);
}

TEST_CASE("Means of the classes differ by a sixteenth of the range where their patterns differ") {
  const GeneratedDataset data({.samples = 4000, .sample = {4, 4, 1}});
  std::array<std::vector<double>, 2> means{std::vector<double>(16), std::vector<double>(16)};
  for (std::uint32_t i = 0; i < data.size(); ++i) {
    const auto pixels = pixels_of(data, i);
    for (std::size_t p = 0; p < 16; ++p) means[i % 2][p] += pixels[p] / 2000.0;
  }
  int different = 0;
  for (std::size_t p = 0; p < 16; ++p) {
    const double difference = std::abs(means[0][p] - means[1][p]);
    // Uniform noise of 240 levels: a mean of 2,000 is off by 1.5, a difference by 2.2.
    CHECK((difference < 9 || difference == Approx(16).margin(9)));
    different += difference > 8 ? 1 : 0;
  }
  CHECK(different > 3);
  CHECK(different < 13);
}

TEST_CASE("Generated rows are features from 0 to 1") {
  const GeneratedDataset data({.samples = 10, .sample = {100}});
  CHECK(data.dtype() == DType::f32);
  Decoder decoder;
  std::vector<float> row(100);
  data.load(4, TensorView(std::span(row), {100}), Filter::bilinear, decoder);
  for (const float value : row) CHECK((value >= 0 && value < 1));
  CHECK(std::accumulate(row.begin(), row.end(), 0.0F) / 100 == Approx(0.5).margin(0.15));
}

TEST_CASE("Generated samples are not resized") {
  const GeneratedDataset data({});
  Decoder decoder;
  std::vector<std::uint8_t> pixels(20 * 20);
  CHECK_THROWS_WITH(
      data.load(0, TensorView(std::span(pixels), {20, 20, 1}), Filter::bilinear, decoder),
      Contains("--size"));
}
