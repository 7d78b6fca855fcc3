#include <millrace/nn/layers/dropout.h>

#include "catch.h"
#include "recorded.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace {

using namespace millrace;
using namespace millrace::nn;

TEST_CASE("Masks are the documented function of seed, pass, position and layer") {
  for (const auto& record : test::recorded("dropout.json")) {
    const auto expected = record["mask"].get<std::string>();
    std::vector<std::uint8_t> mask(expected.size());
    dropout_mask(record["seed"], record["pass"], record["draw"], record["layer"], record["rate"],
                 mask);
    std::string text;
    for (const std::uint8_t keep : mask) text += keep != 0 ? '1' : '0';
    CHECK(text == expected);
  }
}

TEST_CASE("A mask keeps the share of elements that it says") {
  std::vector<std::uint8_t> mask(100'000);
  dropout_mask(1, 0, 0, 0, 0.3F, mask);
  const double kept = std::accumulate(mask.begin(), mask.end(), 0.0) / 100'000;
  CHECK(std::abs(kept - 0.7) < 4 * std::sqrt(0.3 * 0.7 / 100'000));
}

TEST_CASE("Masks of other layers, positions and passes are unrelated") {
  const auto mask = [](std::uint32_t pass, std::uint64_t position, int layer) {
    std::vector<std::uint8_t> result(4096);
    dropout_mask(1, pass, position, layer, 0.5F, result);
    return result;
  };
  const auto one = mask(0, 0, 1);
  for (const auto& other : {mask(0, 0, 2), mask(0, 1, 1), mask(1, 0, 1)}) {
    std::size_t same = 0;
    for (std::size_t i = 0; i < one.size(); ++i) same += one[i] == other[i] ? 1 : 0;
    CHECK(same > 2048 - 4 * 32);
    CHECK(same < 2048 + 4 * 32);
  }
}

TEST_CASE("Arguments that the counter cannot hold are refused") {
  std::vector<std::uint8_t> mask(4);
  CHECK_THROWS_AS(dropout_mask(1, 0, std::uint64_t{1} << 40, 0, 0.5F, mask), std::logic_error);
  CHECK_THROWS_AS(dropout_mask(1, 0, 0, 1 << 16, 0.5F, mask), std::logic_error);
  CHECK_THROWS_AS(dropout_mask(1, 0, 0, 0, 1.0F, mask), std::logic_error);
}

}  // namespace
