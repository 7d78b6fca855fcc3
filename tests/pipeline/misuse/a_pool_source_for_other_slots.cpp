// told: takes Lease<T>, Emit<Out>& and an optional Context&
#include <millrace/pipeline/range.h>

#include <memory>
#include <optional>
#include <string>

using namespace millrace;

bool fill(Lease<std::string> slot, Emit<int>& emit) {
  emit(static_cast<int>(slot->size()));
  return true;
}

int main() {
  Pipeline p;
  auto pool = p.pool<int>("slot", 2, [] { return 0; });
  p.sink(p.source("fill", pool, fill), "print", [](int) {});  // here
}
