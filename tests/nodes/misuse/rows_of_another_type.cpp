// told: a node takes the items of its input
#include <millrace/nodes/each_row.h>

#include <optional>
#include <string>

using namespace millrace;

int main() {
  Pipeline p;
  auto host = p.pool<HostBatch>("host", 2, HostBatchFactory{.sample = {1}});
  auto rows =
      p.source("numbers", host,
               Streamed([](Phase, std::uint32_t) { return [] { return std::optional<int>(); }; }));
  auto tickets = p.then(rows, {.name = "write"}, EachRow([](const std::string&, Row) {}));  // here
  p.sink(tickets, "drop", [](const Ticket&) {});
}
