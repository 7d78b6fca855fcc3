// told: a node is copied or moved into its stage
#include <millrace/pipeline/range.h>

#include <atomic>
#include <optional>

using namespace millrace;

struct Count {
  std::atomic<int> items{0};
  void operator()(int) { ++items; }
};

int main() {
  Pipeline p;
  auto numbers = p.source("count", slots(2), [] { return std::optional<int>(); });
  p.sink(numbers, "print", Count{});  // here
}
