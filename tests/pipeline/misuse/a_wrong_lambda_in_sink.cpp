// told: a sink takes the items of its input
#include <millrace/pipeline/range.h>

#include <memory>
#include <optional>
#include <string>

using namespace millrace;

int main() {
  Pipeline p;
  auto numbers = p.source("count", slots(2), [] { return std::optional<int>(); });
  p.sink(numbers, {.name = "print"}, [](const std::string&) {});  // here
}
