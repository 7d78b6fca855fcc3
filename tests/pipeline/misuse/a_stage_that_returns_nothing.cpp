// told: is a sink: use sink()
#include <millrace/pipeline/range.h>

#include <memory>
#include <optional>
#include <string>

using namespace millrace;

int main() {
  Pipeline p;
  auto numbers = p.source("count", slots(2), [] { return std::optional<int>(); });
  auto nothing = p.then(numbers, "look", [](int) {});  // here
  p.sink(nothing, "print", [](int) {});
}
