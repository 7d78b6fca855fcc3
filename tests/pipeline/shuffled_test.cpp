#include "catch.h"

#include <millrace/pipeline/pipeline.h>
#include <millrace/pipeline/shuffled.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <memory>
#include <numeric>
#include <sstream>
#include <string>

using namespace millrace;

namespace {

Generator<int> numbers(int count) {
  for (int i = 0; i < count; ++i) co_yield i;
}

std::vector<int> all_of(Generator<int> generator) {
  std::vector<int> values;
  for (const int n : generator) values.push_back(n);
  return values;
}

std::vector<int> order(int count, std::size_t buffer, std::uint64_t seed) {
  return all_of(shuffled(numbers(count), buffer, seed));
}

}  // namespace

TEST_CASE("a shuffle buffer gives the recorded orders") {
  std::ifstream file(MILLRACE_TEST_DATA "/pipeline/shuffled.txt");
  int lines = 0;
  for (std::string line; std::getline(file, line); ++lines) {
    std::istringstream words(line);
    std::uint64_t seed = 0;
    std::size_t buffer = 0;
    int count = 0;
    REQUIRE(words >> seed >> buffer >> count);
    std::vector<int> expected;
    for (int n = 0; words >> n;) expected.push_back(n);
    CHECK(order(count, buffer, seed) == expected);
  }
  CHECK(lines == 6);
}

TEST_CASE("a shuffle buffer of none or one keeps the order") {
  std::vector<int> in_order(100);
  std::iota(in_order.begin(), in_order.end(), 0);
  CHECK(order(100, 0, 1) == in_order);
  CHECK(order(100, 1, 1) == in_order);
  CHECK(order(0, 0, 1).empty());
  CHECK(order(0, 5, 1).empty());
}

TEST_CASE("a shuffle buffer gives each item once, and none before it can have been read") {
  const int count = GENERATE(1, 2, 9, 10, 11, 1000);
  constexpr int kBuffer = 10;
  std::vector<int> seen = order(count, kBuffer, 3);
  for (int k = 0; k < static_cast<int>(seen.size()); ++k) {
    CHECK(seen[static_cast<std::size_t>(k)] < k + kBuffer);
  }
  std::sort(seen.begin(), seen.end());
  std::vector<int> expected(static_cast<std::size_t>(count));
  std::iota(expected.begin(), expected.end(), 0);
  CHECK(seen == expected);
}

TEST_CASE("the order of a shuffle buffer is that of its seed") {
  CHECK(order(50, 20, 1) == order(50, 20, 1));
  CHECK(order(50, 20, 1) != order(50, 20, 2));
}

// Four items and a buffer of two: a coin decides three times, and so eight draws make the orders,
// those that are the same way counted together: tf.data's definition written out.
TEST_CASE("a shuffle buffer gives each order as often as its definition says") {
  std::map<std::vector<int>, double> chance;
  for (int coins = 0; coins < 8; ++coins) {
    std::vector<int> held{0, 1}, out;
    for (int k = 0, next = 2; k < 3; ++k) {
      const auto at = held.begin() + (coins >> k & 1);
      out.push_back(*at);
      if (next < 4)
        *at = next++;
      else
        held.erase(at);
    }
    out.push_back(held.front());
    chance[out] += 1.0 / 8;
  }
  constexpr int kTimes = 20'000;
  std::map<std::vector<int>, int> seen;
  for (int seed = 0; seed < kTimes; ++seed) ++seen[order(4, 2, static_cast<std::uint64_t>(seed))];
  CHECK(seen.size() == chance.size());
  for (const auto& [which, p] : chance) {
    const double deviation = std::sqrt(kTimes * p * (1 - p));
    CHECK(std::abs(seen[which] - kTimes * p) < 4 * deviation);
  }
}

TEST_CASE("a shuffle buffer reads nothing before it is asked, and then one item for each") {
  auto read = std::make_shared<int>(0);
  auto counting = [](std::shared_ptr<int> count) -> Generator<int> {
    for (;;) co_yield (*count)++;
  };
  Generator<int> endless = shuffled(counting(read), 10, 1);
  CHECK(*read == 0);
  (void)endless.next();
  CHECK(*read == 10);
  (void)endless.next();
  CHECK(*read == 11);
}

TEST_CASE("what the input of a shuffle buffer throws comes out, and what was held is gone") {
  auto alive = std::make_shared<int>(0);
  auto failing = [](std::shared_ptr<int> held) -> Generator<std::shared_ptr<int>> {
    for (int i = 0; i < 5; ++i) co_yield held;
    throw Error("line 6: not a number");
  };
  Generator<std::shared_ptr<int>> mixed = shuffled(failing(alive), 4, 1);
  CHECK(mixed.next());
  CHECK(mixed.next());
  CHECK_THROWS_WITH(mixed.next(), "line 6: not a number");
  CHECK_FALSE(mixed.next());
  CHECK(alive.use_count() == 2);  // the input's frame lives with the generator
  mixed = shuffled(failing({}), 4, 1);
  CHECK(alive.use_count() == 1);
}

TEST_CASE("a shuffle buffer takes what can only be moved, and is a source") {
  auto boxes = [](int count) -> Generator<std::unique_ptr<int>> {
    for (int i = 0; i < count; ++i) co_yield std::make_unique<int>(i);
  };
  int sum = 0;
  for (const std::unique_ptr<int>& box : shuffled(boxes(10), 3, 1)) sum += *box;
  CHECK(sum == 45);

  Pipeline p;
  std::vector<int> seen;
  p.sink(p.source("numbers", slots(3), shuffled(numbers(20), 5, 9)), "collect",
         [&](int n) { seen.push_back(n); });
  p.run();
  CHECK(seen == order(20, 5, 9));
}
