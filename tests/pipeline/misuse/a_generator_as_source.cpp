// told: give the function that makes a Generator, not the Generator
#include <millrace/pipeline/range.h>

#include <memory>
#include <optional>
#include <string>

using namespace millrace;

Generator<int> count() {
  co_yield 1;
}

int main() {
  Pipeline p;
  auto numbers = p.source("count", slots(2), count());  // here
  p.sink(numbers, "print", [](int) {});
}
