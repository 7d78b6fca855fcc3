#include "catch.h"

#include <millrace/pipeline/pipeline.h>

using namespace millrace;

namespace {

struct Numbers {
  std::optional<int> operator()() { return std::nullopt; }
};

}  // namespace

TEST_CASE("the plan shows stages, edges and memory before anything runs") {
  Pipeline p{{.name = "train", .budget = 64_MiB, .threads = 2}};
  auto host =
      p.pool<std::vector<char>>("host", 3, sized(8_MiB, [] { return std::vector<char>(); }));
  auto items =
      p.source({.name = "list"}, host, [](Lease<std::vector<char>>, Emit<int>&) { return false; });
  auto decoded = p.then(items, {.name = "decode", .concurrency = 8, .on_error = skip(100)},
                        [](int n) { return n; });
  p.sink(decoded, {.name = "train", .on = On::engine}, [](int) {});
  const std::string text = p.plan().text();
  CHECK(text.find("list") != std::string::npos);
  CHECK(text.find("up to 8 at a time, skips at most 100, from list") != std::string::npos);
  CHECK(text.find("the engine's thread, from decode") != std::string::npos);
  CHECK(text.find("3 x 8 MiB") != std::string::npos);
  CHECK(text.find("24 MiB  of 64 MiB") != std::string::npos);
}

TEST_CASE("the plan as Graphviz names every stage and edge") {
  Pipeline p{{.name = "two \"quoted\""}};
  auto numbers = p.source({.name = "a"}, slots(1), Numbers{});
  p.sink(numbers, {.name = "b"}, [](int) {});
  const std::string dot = p.plan().dot();
  CHECK(dot.rfind("digraph \"two \\\"quoted\\\"\" {", 0) == 0);
  CHECK(dot.find("s0 -> s1;") != std::string::npos);
  CHECK(dot.find("label=\"a\"") != std::string::npos);
}

TEST_CASE("a stream that nobody reads is named") {
  Pipeline p{{.name = "open"}};
  auto numbers = p.source({.name = "count"}, slots(1), Numbers{});
  p.then(numbers, {.name = "square"}, [](int n) { return n * n; });
  CHECK_THROWS_WITH(
      p.plan(),
      "pipeline 'open': nothing reads the output of 'square'; end it with sink() or range()");
  CHECK_THROWS_AS(p.run(), UsageError);
}

TEST_CASE("mistakes in building a pipeline are named at once") {
  Pipeline p;
  auto numbers = p.source({.name = "count"}, slots(1), Numbers{});
  p.sink(numbers, {.name = "first"}, [](int) {});
  CHECK_THROWS_WITH(p.source({.name = "count"}, slots(1), Numbers{}),
                    "two stages are called 'count'");
  CHECK_THROWS_AS(p.source({}, slots(1), Numbers{}), UsageError);
  CHECK_THROWS_WITH(p.source({.name = "none"}, slots(0), Numbers{}),
                    "pool 'none slots': needs at least one slot, not 0");
  auto more = p.source({.name = "more"}, slots(1), Numbers{});
  CHECK_THROWS_AS(p.sink(more, {.name = "many", .concurrency = 2, .on = On::engine}, [](int) {}),
                  UsageError);
}
