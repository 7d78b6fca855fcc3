// So that the others do not fail for another reason.

#include <millrace/pipeline/range.h>

#include <memory>
#include <optional>
#include <string>

using namespace millrace;

int square(int n) {
  return n * n;
}
void print(const int&) {}
bool fill(Lease<int> slot, Emit<Lease<int>>& emit, Context&) {
  emit(slot);
  return false;
}
Generator<int> count(Position) {
  co_yield 1;
}

int main() {
  Pipeline p;
  auto pool = p.pool<int>("slot", 2, [] { return 0; });
  auto numbers = p.source("count", slots(2), count);
  p.sink(p.then(numbers, "square", square), "print", print);
  p.sink(p.then(numbers, {.name = "text"}, [](const auto& n) { return std::to_string(n); }), "drop",
         [](const auto&) {});
  p.sink(p.with(p.source("fill", pool, fill), "other", pool), "end", [](const auto&) {});
  p.sink(p.source("once", slots(2), count({})), "own", [box = std::make_unique<int>(1)](int) {});
  p.sink(p.source("own fill", pool,
                  [from = count({})](Lease<int>, Emit<int>&) mutable { return from.next() == 1; }),
         "own end", [](int) {});
  p.sink(p.source("later", slots(2, Position{3}), count), "late end", print);
  for (const int n : count({})) print(n);
  for (const int n : p.range(numbers)) print(n);
}
