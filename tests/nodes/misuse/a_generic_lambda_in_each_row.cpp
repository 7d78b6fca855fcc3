// told: reads the type of a sample from the signature of f, which is no template
#include <millrace/nodes/each_row.h>

#include <optional>

using namespace millrace;

int main() {
  Pipeline p;
  auto host = p.pool<HostBatch>("host", 2, HostBatchFactory{.sample = {1}});
  auto rows =
      p.source("numbers", host,
               Streamed([](Phase, std::uint32_t) { return [] { return std::optional<int>(); }; }));
  auto tickets = p.then(rows, "write", EachRow([](auto, Row row) { row.label(0); }));  // here
  p.sink(tickets, "drop", [](const Ticket&) {});
}
