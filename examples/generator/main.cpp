// A coroutine as the source of a pipeline, and a loop over its end. What you learn: Generator,
// slots(), which bounds the values in flight, and Pipeline::range(). The values are made one by
// one, doubled by two threads, and arrive in the loop in their order.

#include <millrace/pipeline/range.h>

#include <algorithm>
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
  // At most four numbers are in flight; then the coroutine waits until one of them is done.
  auto numbers = p.source("collatz", slots(4), collatz(27));
  auto doubled =
      p.then(numbers, {.name = "double", .concurrency = 2}, [](std::uint64_t n) { return 2 * n; });
  std::uint64_t count = 0, largest = 0;
  for (const std::uint64_t n : p.range(doubled)) {  // the run begins here
    ++count;
    largest = std::max(largest, n);
  }
  std::cout << count << " numbers, the largest doubled is " << largest << '\n';
  return count == 112 && largest == 2 * 9232 ? 0 : 1;  // known results for 27
}
