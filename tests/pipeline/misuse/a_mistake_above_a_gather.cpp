// told: returns bool: false at the end of the data

#include <millrace/pipeline/range.h>

using namespace millrace;

int main() {
  Pipeline p;
  auto pool = p.pool<int>("slot", 2, [] { return 0; });
  auto other = p.pool<int>("other", 2, [] { return 0; });
  auto numbers =
      p.source("fill", pool, [](Lease<int> slot, Emit<int>& emit) { emit(*slot); });  // here
  auto groups = p.with(p.gather(numbers), "with", other);
  p.sink(p.join("join", groups, numbers), "print", [](const std::tuple<int, int>&) {});
}
