#include <millrace/nodes/each_row.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace millrace;

struct Line {
  std::string name, bytes;
};

int main() {
  Pipeline p;
  auto host = p.pool<HostBatch>("host", 2, HostBatchFactory{.sample = {1}});
  auto rows =
      p.source("lines", host,
               Streamed([](Phase, std::uint32_t, std::uint64_t) { return std::vector<Line>(); },
                        {.payload = 1_KiB}));
  auto tickets =
      p.then(rows, "write", EachRow([](const Line&, Row row, Context&) { row.label(0); }));
  p.sink(tickets, "drop", [](const Ticket&) {});

  // What can only be moved, without a pipeline.
  HostBatch batch = HostBatchFactory{.sample = {1}}();
  std::vector<int> items;
  auto make = [own = std::make_unique<int>(1)](Phase, std::uint32_t) -> Generator<int> {
    co_yield *own;
  };
  return Streamed(std::move(make)).next(batch, items) ? 0 : 1;
}
