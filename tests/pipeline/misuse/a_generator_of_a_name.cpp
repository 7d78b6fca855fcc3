// told: std::move() what has a name
#include <millrace/pipeline/range.h>

using namespace millrace;

Generator<int> count() {
  co_yield 1;
}

int main() {
  Pipeline p;
  auto numbers = count();
  p.sink(p.source("count", slots(2), numbers), "print", [](int) {});  // here
}
