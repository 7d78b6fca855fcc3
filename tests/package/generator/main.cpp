// A stranger's generator, through a stage of theirs, consumed as a range.

#include <millrace/pipeline/range.h>

#include <cstdint>
#include <iostream>

using namespace millrace;

/// The Collatz sequence of a number.
Generator<std::uint64_t> collatz(std::uint64_t n) {
  for (; n != 1; n = n % 2 == 0 ? n / 2 : 3 * n + 1) co_yield n;
  co_yield n;
}

int main() {
  Pipeline p{{.name = "collatz", .threads = 2}};
  auto numbers = p.source({.name = "collatz"}, slots(4), [](Position) { return collatz(27); });
  auto doubled =
      p.then(numbers, {.name = "double", .concurrency = 2}, [](std::uint64_t n) { return 2 * n; });
  std::uint64_t steps = 0, largest = 0;
  for (const std::uint64_t n : p.range(doubled)) {
    ++steps;
    largest = std::max(largest, n);
  }
  std::cout << steps << " numbers, the largest doubled is " << largest << '\n';
  return steps == 112 && largest == 2 * 9232 ? 0 : 1;  // known of 27
}
