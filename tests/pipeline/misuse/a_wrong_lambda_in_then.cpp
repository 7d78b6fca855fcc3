// told: a node takes the items of its input
#include <millrace/pipeline/range.h>

#include <memory>
#include <optional>
#include <string>

using namespace millrace;

int main() {
  Pipeline p;
  auto numbers = p.source("count", slots(2), [] { return std::optional<int>(); });
  auto texts = p.then(numbers, "text",  // here
                      [](const std::string& text) { return text; });
  p.sink(texts, "print", [](const std::string&) {});
}
