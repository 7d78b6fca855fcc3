// told: Streamed takes a factory of streams
#include <millrace/nodes/each_row.h>

using namespace millrace;

int main() {
  Pipeline p;
  auto host = p.pool<HostBatch>("host", 2, HostBatchFactory{.sample = {1}});
  auto rows = p.source("numbers", host, Streamed([](Phase, std::uint32_t) { return 7; }));  // here
  p.sink(rows, "drop", [](const auto&) {});
}
