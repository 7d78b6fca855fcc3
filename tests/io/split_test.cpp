#include <millrace/io/split.h>

#include "catch.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

using namespace millrace;

namespace {

std::vector<std::int32_t> labels_with(const std::vector<std::int32_t>& counts) {
  std::vector<std::int32_t> labels;
  for (std::size_t label = 0; label < counts.size(); ++label) {
    labels.insert(labels.end(), static_cast<std::size_t>(counts[label]), static_cast<int>(label));
  }
  return labels;
}

std::map<int, int> count(const std::vector<std::uint32_t>& samples,
                         const std::vector<std::int32_t>& labels) {
  std::map<int, int> counts;
  for (const std::uint32_t sample : samples) ++counts[labels.at(sample)];
  return counts;
}

}  // namespace

TEST_CASE("a split takes the same part of each class and every sample once") {
  const std::vector<std::int32_t> labels = labels_with({100, 10, 57});
  const Split parts = split(labels, 0.29, 7);
  CHECK(count(parts.validation, labels) == std::map<int, int>{{0, 29}, {1, 2}, {2, 16}});
  std::set<std::uint32_t> all(parts.train.begin(), parts.train.end());
  all.insert(parts.validation.begin(), parts.validation.end());
  CHECK(all.size() == labels.size());
  CHECK(parts.train.size() + parts.validation.size() == labels.size());
  CHECK(std::is_sorted(parts.train.begin(), parts.train.end()));
  CHECK(std::is_sorted(parts.validation.begin(), parts.validation.end()));
}

TEST_CASE("small classes keep a sample on each side, and a single one trains") {
  const std::vector<std::int32_t> labels = labels_with({1, 2, 3});
  CHECK(count(split(labels, 0.01, 1).validation, labels) == std::map<int, int>{{1, 1}, {2, 1}});
  CHECK(count(split(labels, 0.99, 1).train, labels) == std::map<int, int>{{0, 1}, {1, 1}, {2, 1}});
}

TEST_CASE("a split depends on the seed alone, class by class") {
  const std::vector<std::int32_t> labels = labels_with({50, 50});
  CHECK(split(labels, 0.2, 1).validation == split(labels, 0.2, 1).validation);
  CHECK(split(labels, 0.2, 1).validation != split(labels, 0.2, 2).validation);
  // A third class changes nothing for the first two.
  const std::vector<std::uint32_t> two = split(labels, 0.2, 1).validation;
  const std::vector<std::uint32_t> three = split(labels_with({50, 50, 9}), 0.2, 1).validation;
  CHECK(std::equal(two.begin(), two.end(), three.begin()));
}

TEST_CASE("fraction 0 splits nothing off and a fraction of 1 or more is refused") {
  const std::vector<std::int32_t> labels = labels_with({4, 4});
  CHECK(split(labels, 0.0, 1).validation.empty());
  CHECK(split(labels, 0.0, 1).train.size() == 8);
  CHECK_THROWS_WITH(split(labels, 1.0, 1),
                    "validation split of 1; choose 0 or more and less than 1");
  CHECK_THROWS_AS(split(labels, -0.1, 1), UsageError);
}
