#include <millrace/nn/weight_layout.h>

#include "catch.h"

#include <numeric>

using namespace millrace;
using namespace millrace::nn;

namespace {

std::vector<float> counted(std::size_t n) {
  std::vector<float> values(n);
  std::iota(values.begin(), values.end(), 0.0F);
  return values;
}

/// Places a tensor in parts of `size`.
std::vector<float> placed(const WeightLayout& layout, const std::vector<float>& values,
                          std::size_t size) {
  std::vector<float> whole(values.size(), -1.0F);
  for (std::size_t at = 0; at < values.size(); at += size) {
    place(layout, static_cast<std::int64_t>(at),
          std::span(values).subspan(at, std::min(size, values.size() - at)), whole);
  }
  return whole;
}

}  // namespace

TEST_CASE("a convolution of Keras, rows-columns-in-out, becomes out-in-rows-columns") {
  const Shape shape{2, 3, 4, 5};
  const std::vector<float> theirs = counted(120);
  for (const std::size_t part : {std::size_t{5}, std::size_t{35}, std::size_t{120}}) {
    const auto ours = placed({.order = WeightOrder::keras_kernel, .shape = shape}, theirs, part);
    for (std::size_t h = 0; h < 2; ++h)
      for (std::size_t w = 0; w < 3; ++w)
        for (std::size_t i = 0; i < 4; ++i)
          for (std::size_t o = 0; o < 5; ++o)
            CHECK(ours[((o * 4 + i) * 2 + h) * 3 + w] == theirs[((h * 3 + w) * 4 + i) * 5 + o]);
  }
}

TEST_CASE("a dense kernel of Keras is transposed") {
  const auto ours = placed({.order = WeightOrder::keras_kernel, .shape = {3, 2}}, counted(6), 2);
  CHECK(ours == std::vector<float>{0, 2, 4, 1, 3, 5});
}

TEST_CASE("inputs of an image that PyTorch flattened go to where ours are") {
  const Shape image{2, 3, 4};  // rows, columns, channels
  const std::vector<float> theirs = counted(2 * 24);
  for (const std::size_t part : {std::size_t{1}, std::size_t{7}, std::size_t{48}}) {
    const auto ours = placed({.order = WeightOrder::channels_first, .image = image}, theirs, part);
    for (std::size_t out = 0; out < 2; ++out)
      for (std::size_t c = 0; c < 4; ++c)
        for (std::size_t p = 0; p < 6; ++p)
          CHECK(ours[out * 24 + p * 4 + c] == theirs[out * 24 + c * 6 + p]);
    CHECK(to_channels_first(image, ours) == theirs);
  }
}

TEST_CASE("the layers behind a flatten are those whose order differs") {
  const Model model =
      ModelBuilder("m", {6, 6, 2}).conv(3).flatten().relu().batch_norm().dense(5).dense(4).build();
  const Shape none, image{4, 4, 3};
  CHECK(flattened_images(model) == std::vector<Shape>{none, none, image, image, image, none});
  const Model table = ModelBuilder("t", {6}).flatten().dense(2).build();
  CHECK(flattened_images(table) == std::vector<Shape>{none, none});
}
