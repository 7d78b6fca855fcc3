// told: returns bool: false at the end of the data
#include <millrace/pipeline/range.h>

#include <memory>
#include <optional>
#include <string>

using namespace millrace;

int main() {
  Pipeline p;
  auto pool = p.pool<int>("slot", 2, [] { return 0; });
  auto leases =
      p.source("fill", pool, [](Lease<int> slot, Emit<Lease<int>>& emit) { emit(slot); });  // here
  p.sink(leases, "print", [](const Lease<int>&) {});
}
