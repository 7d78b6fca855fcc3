#include <millrace/nodes/batcher.h>

#include <millrace/core/error.h>

#include <cstring>

namespace millrace {
namespace {

void move_row(HostBatch& batch, std::int64_t from, std::int64_t to) {
  const TensorView source = batch.row(from);
  std::memcpy(batch.row(to).data, source.data, source.bytes());
  batch.move_stamps(from, to);
}

void check_stamps(const HostBatch& batch, const Ticket& ticket) {
  const std::int64_t end = std::int64_t{ticket.first} + ticket.count;
  if (end > batch.size) {
    throw Error(concat("a ticket is for rows ", ticket.first, " to ", end - 1,
                       " of a batch whose HostBatch::size is ", batch.size,
                       "; the source sets size to the number of its rows"));
  }
  for (std::size_t i = ticket.first; i < static_cast<std::size_t>(end); ++i) {
    if (batch.valid[i] != HostBatch::kNotStamped) continue;
    throw Error(concat(
        "HostBatch::valid of row ", i,
        " was not stamped; the source, or the stage that decodes, sets it to 1 for a sample and "
        "to 0 for a hole"));
  }
}

}  // namespace

Lease<HostBatch> Batcher::operator()(const Group<Ticket>& tickets) const {
  const Lease<HostBatch>& lease = tickets.items.front().batch;
  HostBatch& batch = *lease;
  std::int64_t used = 0;
  for (const Ticket& ticket : tickets.items) {
    check_stamps(batch, ticket);
    for (std::size_t i = ticket.first; i < ticket.first + ticket.count; ++i) {
      if (batch.valid[i] == 0) continue;
      if (const auto row = static_cast<std::int64_t>(i); row != used) move_row(batch, row, used);
      batch.valid[static_cast<std::size_t>(used++)] = 1;
    }
  }
  batch.holes = batch.size - used;
  batch.size = used;
  return lease;
}

}  // namespace millrace
