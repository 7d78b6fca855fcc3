// Generators as ranges, beside what std::generator of C++23 can do.

#include "catch.h"

#include <millrace/pipeline/range.h>

#include <algorithm>
#include <concepts>
#include <iterator>
#include <memory>
#include <numeric>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>
#if !defined(__clang__) || __clang_major__ >= 16  // older ones cannot compile libstdc++'s views
#include <ranges>
#define MILLRACE_HAS_VIEWS
#endif

using namespace millrace;

namespace {

using Numbers = Generator<int>;
using Boxes = Generator<std::unique_ptr<int>>;
static_assert(std::ranges::input_range<Numbers> && !std::ranges::forward_range<Numbers>);
static_assert(std::ranges::input_range<Boxes>);
static_assert(std::ranges::input_range<Generator<const int>>);
static_assert(std::input_iterator<Numbers::Iterator> && std::input_iterator<Boxes::Iterator>);
static_assert(std::copyable<Numbers::Iterator> && std::default_initializable<Numbers::Iterator>);
static_assert(std::sentinel_for<std::default_sentinel_t, Numbers::Iterator>);
static_assert(std::indirectly_writable<Numbers::Iterator, int>);
static_assert(std::is_same_v<std::iterator_traits<Numbers::Iterator>::iterator_category,
                             std::input_iterator_tag>);
static_assert(!std::copyable<Numbers> && std::movable<Numbers>);
static_assert(std::ranges::input_range<Range<int>> && std::input_iterator<Range<int>::Iterator>);
static_assert(std::ranges::input_range<Range<std::unique_ptr<int>>>);

Numbers count_to(int n) {
  for (int i = 0; i < n; ++i) co_yield i;
}
Boxes boxes(int n) {
  for (int i = 0; i < n; ++i) co_yield std::make_unique<int>(i);
}

}  // namespace

TEST_CASE("a generator works with algorithms of std::ranges") {
  std::vector<int> copied;
  std::ranges::copy(count_to(5), std::back_inserter(copied));
  CHECK(copied == std::vector<int>{0, 1, 2, 3, 4});
  CHECK(std::ranges::count_if(count_to(10), [](int n) { return n % 3 == 0; }) == 4);
  CHECK(std::ranges::any_of(count_to(10), [](int n) { return n == 9; }));
  CHECK(std::ranges::equal(count_to(3), std::vector<int>{0, 1, 2}));
  int sum = 0;
  std::ranges::for_each(boxes(4), [&sum](const std::unique_ptr<int>& n) { sum += *n; });
  CHECK(sum == 6);
}

TEST_CASE("what is left of a generator is looped over where the last loop stopped") {
  Numbers numbers = count_to(10);
  CHECK(*std::ranges::find(numbers, 4) == 4);
  CHECK(numbers.next() == 5);
  std::vector<int> rest;
  for (const int n : numbers) rest.push_back(n);
  CHECK(rest == std::vector<int>{6, 7, 8, 9});
  CHECK(numbers.begin() == numbers.end());
  CHECK_FALSE(numbers.next());
}

TEST_CASE("values can be moved out of a loop over a generator, and changed") {
  std::vector<std::unique_ptr<int>> kept;
  for (std::unique_ptr<int>& box : boxes(3)) kept.push_back(std::move(box));
  CHECK(*kept.back() == 2);
  std::vector<int> doubled;
  for (int& n : count_to(3)) doubled.push_back(n *= 2);
  CHECK(doubled == std::vector<int>{0, 2, 4});
}

TEST_CASE(
    "an iterator of a generator outlives a move of it, and a generator without values is empty") {
  Numbers numbers = count_to(3);
  auto at = numbers.begin();
  Numbers moved = std::move(numbers);
  CHECK(*++at == 1);
  CHECK(moved.next() == 2);
  CHECK(at == moved.end());
  CHECK(numbers.begin() == numbers.end());  // moved from
  CHECK(count_to(0).begin() == std::default_sentinel);
  CHECK(Numbers::Iterator() == std::default_sentinel);
}

TEST_CASE("the values of a generator need no assignment") {
  struct Fixed {
    const int n;
  };
  auto fixed = []() -> Generator<Fixed> {
    co_yield Fixed{1};
    co_yield Fixed{2};
  };
  int sum = 0;
  for (const Fixed& value : fixed()) sum += value.n;
  CHECK(sum == 3);
}

#ifdef MILLRACE_HAS_VIEWS
TEST_CASE("a generator and a range work with views") {
  const auto is_even = [](int n) { return n % 2 == 0; };
  const auto square = [](int n) { return n * n; };
  std::vector<int> seen;
  for (const int n : count_to(1'000'000) | std::views::filter(is_even) |
                         std::views::transform(square) | std::views::take(3)) {
    seen.push_back(n);
  }
  CHECK(seen == std::vector<int>{0, 4, 16});
  Numbers numbers = count_to(6);
  auto common = numbers | std::views::drop(2) | std::views::common;
  CHECK(std::accumulate(common.begin(), common.end(), 0) == 2 + 3 + 4 + 5);

  Pipeline p;
  Range<int> range = p.range(p.source("count", slots(3), count_to(100)));
  seen.clear();
  for (const int n : range | std::views::filter(is_even) | std::views::take(3)) seen.push_back(n);
  CHECK(seen == std::vector<int>{0, 2, 4});
}
#endif
