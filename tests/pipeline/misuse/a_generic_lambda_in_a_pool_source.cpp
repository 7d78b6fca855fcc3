// told: read from its signature, which is no template
#include <millrace/pipeline/range.h>

#include <memory>
#include <optional>
#include <string>

using namespace millrace;

int main() {
  Pipeline p;
  auto pool = p.pool<int>("slot", 2, [] { return 0; });
  auto leases = p.source("fill", pool, [](auto slot, auto& emit) {  // here
    emit(slot);
    return true;
  });
  p.sink(leases, "print", [](const Lease<int>&) {});
}
