#include <millrace/core/random.h>

#include "catch.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <numeric>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

using namespace millrace;

namespace {

// The lines of the recording (tests/reference/philox.py) that begin with this word.
std::vector<std::istringstream> recorded(const std::string& kind) {
  std::ifstream file(MILLRACE_TEST_DATA "/core/philox.txt");
  std::vector<std::istringstream> lines;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string first;
    words >> first;
    if (first == kind) lines.push_back(std::move(words));
  }
  REQUIRE_FALSE(lines.empty());
  return lines;
}

Random stream_of(std::istringstream& words) {
  std::uint64_t seed = 0;
  std::uint32_t pass = 0;
  std::uint64_t position = 0;
  unsigned purpose = 0;
  REQUIRE(words >> seed >> pass >> position >> purpose);
  return {seed, pass, position, static_cast<Purpose>(purpose)};
}

template <class T>
std::vector<T> rest_of(std::istringstream& words) {
  std::vector<T> values;
  for (T value; words >> value;) values.push_back(value);
  return values;
}

// Pearson's statistic of counts that should be equal.
double chi_squared(const std::vector<int>& counts) {
  const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
  const double expected = total / static_cast<double>(counts.size());
  double sum = 0;
  for (const int count : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

}  // namespace

TEST_CASE("Philox gives the published known answers and TensorFlow's blocks") {
  std::vector<std::istringstream> lines = recorded("block");
  REQUIRE(lines.size() == 12);
  for (std::istringstream& line : lines) {
    line >> std::hex;
    const std::vector<std::uint32_t> w = rest_of<std::uint32_t>(line);
    REQUIRE(w.size() == 10);
    const std::array<std::uint32_t, 4> answer = {w[6], w[7], w[8], w[9]};
    CHECK(philox({w[0], w[1], w[2], w[3]}, {w[4], w[5]}) == answer);
  }
}

TEST_CASE("streams give the recorded bits for seed, pass, position and purpose") {
  std::vector<std::istringstream> lines = recorded("bits");
  REQUIRE(lines.size() == 8);
  for (std::istringstream& line : lines) {
    Random random = stream_of(line);
    for (const std::uint32_t bits : rest_of<std::uint32_t>(line)) CHECK(random.bits() == bits);
  }
}

TEST_CASE("uniform numbers are the recorded ones to the bit") {
  for (std::istringstream& line : recorded("uniform")) {
    Random random = stream_of(line);
    for (const double value : rest_of<double>(line)) CHECK(random.uniform() == value);
  }
}

TEST_CASE("bounded integers are the recorded ones, also where words must be rejected") {
  // Half of all words are too uneven for 2^63 + 1.
  const std::vector<std::uint64_t> bounds = {1, 2, 10, 60000, (1ULL << 63) + 1, ~0ULL};
  for (std::istringstream& line : recorded("below")) {
    Random random = stream_of(line);
    const std::vector<std::uint64_t> values = rest_of<std::uint64_t>(line);
    REQUIRE(values.size() == bounds.size());
    for (std::size_t i = 0; i < bounds.size(); ++i) CHECK(random.below(bounds[i]) == values[i]);
  }
}

TEST_CASE("normal numbers are the recorded ones") {
  for (std::istringstream& line : recorded("normal")) {
    Random random = stream_of(line);
    // A few units in the last place: logarithm and cosine are the C library's.
    for (const double value : rest_of<double>(line)) {
      CHECK(random.normal() == Approx(value).epsilon(1e-14).margin(1e-15));
    }
  }
}

TEST_CASE("shuffles are the recorded ones") {
  for (std::istringstream& line : recorded("permutation")) {
    const Random random = stream_of(line);
    CHECK(permutation(6, random) == rest_of<std::uint32_t>(line));
  }
}

TEST_CASE("a permutation holds every number once") {
  for (const std::uint32_t n : {0U, 1U, 2U, 1000U}) {
    std::vector<std::uint32_t> order = permutation(n, Random(1, 2, 3, Purpose::shuffle));
    REQUIRE(order.size() == n);
    std::sort(order.begin(), order.end());
    for (std::uint32_t i = 0; i < n; ++i) REQUIRE(order[i] == i);
  }
}

TEST_CASE("each of seed, pass, position and purpose gives numbers of its own") {
  const auto first = [](Random random) { return random.bits(); };
  const std::vector<std::uint32_t> bits = {first(Random(1, 2, 3, Purpose::flip)),
                                           first(Random(2, 2, 3, Purpose::flip)),
                                           first(Random(1ULL << 32, 2, 3, Purpose::flip)),
                                           first(Random(1, 3, 3, Purpose::flip)),
                                           first(Random(1, 2, 4, Purpose::flip)),
                                           first(Random(1, 2, 1ULL << 32, Purpose::flip)),
                                           first(Random(1, 2, 3, Purpose::crop))};
  for (std::size_t i = 0; i < bits.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) CHECK(bits[i] != bits[j]);
  }
}

TEST_CASE("a copy of a stream goes on from the same place") {
  Random random(7, 0, 0, Purpose::user);
  random.bits();
  Random copy = random;
  for (int i = 0; i < 10; ++i) CHECK(copy.bits() == random.bits());
}

TEST_CASE("bounded integers fall evenly") {
  // The draw is fixed, so this passes or fails for good. 99.9 % of fair dice of 6 sides stay under
  // 20.5 (chi squared with 5 degrees of freedom).
  Random random(11, 0, 0, Purpose::user);
  std::vector<int> counts(6);
  for (int i = 0; i < 60'000; ++i) ++counts[static_cast<std::size_t>(random.below(6))];
  CHECK(chi_squared(counts) < 20.5);
}

TEST_CASE("a bound that does not divide 2^64 has no favourite half") {
  // With a plain remainder, numbers under 2^62 would come twice as often as the others: half of all
  // instead of a third. The bound is 4 standard deviations.
  Random random(12, 0, 0, Purpose::user);
  const std::uint64_t n = 3ULL << 62;
  int small = 0;
  for (int i = 0; i < 10'000; ++i) small += random.below(n) < (1ULL << 62) ? 1 : 0;
  CHECK(small == Approx(10'000 / 3.0).margin(4 * std::sqrt(10'000 * 2.0 / 9)));
}

TEST_CASE("uniform and normal numbers have their moments") {
  // Means and variances within 4 standard errors of n = 40,000 draws.
  Random random(13, 0, 0, Purpose::user);
  constexpr int kDraws = 40'000;
  double uniform_sum = 0;
  double normal_sum = 0;
  double normal_squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double u = random.uniform(-1, 3);
    REQUIRE((u >= -1 && u < 3));
    uniform_sum += u;
    const double z = random.normal();
    normal_sum += z;
    normal_squares += z * z;
  }
  CHECK(uniform_sum / kDraws == Approx(1).margin(4 * (4 / std::sqrt(12.0)) / std::sqrt(kDraws)));
  CHECK(normal_sum / kDraws == Approx(0).margin(4 / std::sqrt(kDraws)));
  CHECK(normal_squares / kDraws == Approx(1).margin(4 * std::sqrt(2.0 / kDraws)));
}

TEST_CASE("a coin falls as often as its probability says") {
  Random random(14, 0, 0, Purpose::flip);
  int heads = 0;
  for (int i = 0; i < 10'000; ++i) heads += random.coin(0.3) ? 1 : 0;
  CHECK(heads == Approx(3000).margin(4 * std::sqrt(10'000 * 0.3 * 0.7)));
  CHECK_FALSE(Random(1, 0, 0, Purpose::flip).coin(0));
  CHECK(Random(1, 0, 0, Purpose::flip).coin(1));
}
