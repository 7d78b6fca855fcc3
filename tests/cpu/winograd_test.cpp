// Winograd's algorithm by our own kernels, against the definition of a convolution in float64.

#include <millrace/core/buffer.h>
#include <millrace/core/random.h>
#include <millrace/cpu/kernels/winograd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "catch.h"
#include "cpu/compare.h"

using namespace millrace;
using cpu::Winograd;

namespace {

constexpr std::int64_t kBlock = 16;

/// [image][channel / 16][row][column][16].
std::size_t place(std::int64_t image, std::int64_t channel, std::int64_t channels, std::int64_t row,
                  std::int64_t rows, std::int64_t column, std::int64_t columns) {
  const std::int64_t block = image * (channels / kBlock) + channel / kBlock;
  return static_cast<std::size_t>(((block * rows + row) * columns + column) * kBlock +
                                  channel % kBlock);
}

/// Of the convolution's weight from `in` to `out`; blocks end with 16 outputs, or 16 inputs.
std::size_t weight_place(const Winograd& w, std::int64_t in, std::int64_t out, std::int64_t k) {
  const std::int64_t ins = w.is_backward ? w.to_channels : w.from_channels;
  const std::int64_t block = (out / kBlock * (ins / kBlock) + in / kBlock) * 9 + k;
  const std::int64_t inside =
      w.is_backward ? out % kBlock * kBlock + in % kBlock : in % kBlock * kBlock + out % kBlock;
  return static_cast<std::size_t>(block * kBlock * kBlock + inside);
}

struct Data {
  explicit Data(const Winograd& w) {
    Random random(5, 0, 0, Purpose::user);
    const auto fill = [&](std::vector<float>& values, std::int64_t count, double scale) {
      values.resize(static_cast<std::size_t>(count));
      for (float& x : values) x = static_cast<float>(scale * random.normal());
    };
    fill(from, w.images * w.from_channels * w.from_rows * w.from_columns, 1);
    fill(weights, 9 * w.from_channels * w.to_channels,
         1 / std::sqrt(9.0 * static_cast<double>(w.from_channels)));
    fill(bias, w.to_channels, 1);
  }
  std::vector<float> from, weights, bias;
};

/// What lies where a result is added.
double before(std::int64_t image, std::int64_t channel, std::int64_t row, std::int64_t column) {
  return static_cast<double>(image - channel % 5 + row % 3 - column);
}

double by_definition(const Winograd& w, const Data& data, bool has_bias, std::int64_t image,
                     std::int64_t to, std::int64_t row, std::int64_t column) {
  double sum = has_bias ? static_cast<double>(data.bias[static_cast<std::size_t>(to)]) : 0.0;
  for (std::int64_t from = 0; from < w.from_channels; ++from) {
    for (std::int64_t k = 0; k < 9; ++k) {
      const std::int64_t y = row + k / 3 - w.top, x = column + k % 3 - w.left;
      if (y < 0 || x < 0 || y >= w.from_rows || x >= w.from_columns) continue;
      const std::size_t weight =
          w.is_backward ? weight_place(w, to, from, 8 - k) : weight_place(w, from, to, k);
      sum += static_cast<double>(data.weights[weight]) *
             static_cast<double>(
                 data.from[place(image, from, w.from_channels, y, w.from_rows, x, w.from_columns)]);
    }
  }
  if (w.adds) sum += before(image, to, row, column);
  const auto ceiling = static_cast<double>(w.ceiling);
  return w.ceiling == cpu::kNoRectifier ? sum : std::clamp(sum, 0.0, ceiling);
}

/// Results have a variance of about 1. The worst is 3e-5 away; the direct algorithm in float32
/// comes to 3e-6.
constexpr double kTolerance = 1e-4;

void check(const Winograd& w, bool has_bias) {
  const Data data(w);
  const Buffer scratch{Bytes{w.scratch_bytes()}};
  std::memset(scratch.data(), 0xff, scratch.size());  // NaN
  std::vector<float> to(
      static_cast<std::size_t>(w.images * w.to_channels * w.to_rows * w.to_columns), NAN);
  for (std::int64_t image = 0; w.adds && image < w.images; ++image) {
    for (std::int64_t channel = 0; channel < w.to_channels; ++channel) {
      for (std::int64_t y = 0; y < w.to_rows; ++y) {
        for (std::int64_t x = 0; x < w.to_columns; ++x) {
          to[place(image, channel, w.to_channels, y, w.to_rows, x, w.to_columns)] =
              static_cast<float>(before(image, channel, y, x));
        }
      }
    }
  }
  cpu::convolve(w, data.from.data(), data.weights.data(), has_bias ? data.bias.data() : nullptr,
                to.data(), scratch.data());
  CHECK(std::ranges::none_of(to, [](float x) { return std::isnan(x); }));
  double worst = 0;
  // Some channels of each block, every pixel.
  for (std::int64_t image = 0; image < w.images; ++image) {
    for (std::int64_t channel = 0; channel < w.to_channels; channel += 11) {
      for (std::int64_t y = 0; y < w.to_rows; ++y) {
        for (std::int64_t x = 0; x < w.to_columns; ++x) {
          const double expected = by_definition(w, data, has_bias, image, channel, y, x);
          const float made =
              to[place(image, channel, w.to_channels, y, w.to_rows, x, w.to_columns)];
          worst = std::max(worst, std::abs(static_cast<double>(made) - expected));
        }
      }
    }
  }
  CHECK(worst < kTolerance);
}

/// `padding` rows and columns of zeros around what is read.
Winograd shape(std::int64_t images, std::int64_t from, std::int64_t to, std::int64_t rows,
               std::int64_t columns, std::int64_t padding) {
  return {.images = images,
          .from_channels = from,
          .to_channels = to,
          .from_rows = rows,
          .from_columns = columns,
          .to_rows = rows + 2 * padding - 2,
          .to_columns = columns + 2 * padding - 2,
          .top = padding,
          .left = padding};
}

}  // namespace

TEST_CASE("A convolution by tiles agrees with float64 whatever their number and the padding") {
  for (const std::int64_t padding : {0, 1, 2}) {
    for (const auto& [rows, columns] : {std::pair{4, 5}, {8, 8}, {9, 14}, {13, 3}}) {
      INFO(rows << "x" << columns << ", padding " << padding);
      check(shape(2, 16, 32, rows, columns, padding), true);
    }
  }
  Winograd uneven = shape(1, 32, 32, 10, 11, 1);
  uneven.top = 2;
  uneven.left = 0;
  check(uneven, false);
}

TEST_CASE("Tiles in several chunks agree with float64") {
  check(shape(5, 32, 64, 19, 15, 1), true);  // 60 tiles of which 28 go together
}

TEST_CASE("Weights that are too many to be kept agree with float64") {
  check(shape(1, 144, 128, 14, 8, 1), true);  // see kMostKept
}

TEST_CASE("A bias is added before the ReLU, or one with a ceiling") {
  Winograd w = shape(1, 32, 32, 9, 7, 1);
  for (const float ceiling : {std::numeric_limits<float>::infinity(), 0.7F}) {
    w.ceiling = ceiling;
    check(w, true);
    check(w, false);
  }
}

TEST_CASE("What is there already is added before the ReLU") {
  Winograd w = shape(2, 32, 64, 9, 7, 1);
  w.adds = true;
  for (const float ceiling : {cpu::kNoRectifier, std::numeric_limits<float>::infinity(), 0.7F}) {
    w.ceiling = ceiling;
    check(w, true);
  }
}

TEST_CASE("Derivatives by a convolution's source agree with float64") {
  for (const std::int64_t padding : {1, 2}) {  // of a convolution with padding 1 or 0
    Winograd w = shape(2, 48, 32, 10, 13, padding);
    w.is_backward = true;
    check(w, false);
  }
}

TEST_CASE("Training that computes by tiles agrees with float64") {
  for (const nn::Padding padding : {nn::Padding::valid, nn::Padding::same}) {
    nn::ModelBuilder builder("m", {13, 10, 3});
    builder.conv(32).relu().conv(64, 3, padding).relu().conv(32, 3, padding).relu().max_pool();
    const nn::Model model = builder.flatten().dense(4).softmax().build();
    const cpu::EngineOptions engine{.threads = 1, .algorithms = cpu::Algorithms::winograd};
    const nn::CompileOptions options{.batch = 7, .optimizer = {.learning_rate = 0.1}};
    test::check_model(model, options, {7, 3}, engine);
    const auto timings = cpu::make_engine(engine)->compile(model, options)->timings();
    CHECK(std::ranges::count(timings, "millrace:winograd", &nn::OpTiming::implementation) >= 4);
  }
}
