// told: a node is copied
#include <millrace/pipeline/range.h>

#include <memory>
#include <optional>
#include <string>

using namespace millrace;

int main() {
  Pipeline p;
  auto numbers = p.source("count", slots(2), [] { return std::optional<int>(); });
  p.sink(numbers, "print", [box = std::make_unique<int>(1)](int) {});  // here
}
