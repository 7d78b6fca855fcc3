// told: std::optional<Out> body(), a Generator<Out>, or a factory
#include <millrace/pipeline/range.h>

#include <memory>
#include <optional>
#include <string>

using namespace millrace;

int main() {
  Pipeline p;
  auto numbers = p.source("count", slots(2), [] { return 1; });  // here
  p.sink(numbers, "print", [](int) {});
}
