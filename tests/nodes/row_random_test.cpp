// Random numbers that functions of a sample draw.

#include "catch.h"
#include "nodes/streams.h"

#include <millrace/nodes/each_row.h>
#include <millrace/nodes/streamed.h>

#include <algorithm>
#include <vector>

using namespace millrace;
using namespace millrace::test;

TEST_CASE("random numbers of a row are those of its phase, pass, position, purpose and seed") {
  const auto drawn = [](std::uint64_t seed, Purpose purpose) {
    std::vector<double> all;
    Pipeline p{{.threads = 1}};
    auto host = p.pool<HostBatch>("host", 1, HostBatchFactory{.sample = {1}, .capacity = 4});
    auto rows = p.source("stream", host, Streamed(numbers(8, 8), {.epochs = 2}));
    p.sink(p.then(rows, "draw",
                  EachRow(
                      [&](std::uint32_t, Row row) { all.push_back(row.random(purpose).uniform()); },
                      {.seed = seed})),
           "drop", [](const Ticket&) {});
    (void)p.run();
    return all;
  };
  std::vector<double> all;
  for (const std::uint64_t seed : {0U, 1U}) {
    for (const Purpose purpose : {Purpose::user, Purpose::synthetic}) {
      const std::vector<double> some = drawn(seed, purpose);
      CHECK(some == drawn(seed, purpose));
      all.insert(all.end(), some.begin(), some.end());
    }
  }
  CHECK(all.size() == 4 * 32);
  std::sort(all.begin(), all.end());
  CHECK(std::adjacent_find(all.begin(), all.end()) == all.end());
}
