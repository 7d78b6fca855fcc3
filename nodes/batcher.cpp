#include <millrace/nodes/batcher.h>

#include <algorithm>
#include <cstring>
#include <span>

namespace millrace {
namespace {

void move_row(HostBatch& batch, std::size_t from, std::size_t to) {
  const TensorView source = batch.row(static_cast<std::int64_t>(from));
  std::memcpy(batch.row(static_cast<std::int64_t>(to)).data, source.data, source.bytes());
  batch.index[to] = batch.index[from];
  batch.labels[to] = batch.labels[from];
  const std::span<const float> target = batch.target(static_cast<std::int64_t>(from));
  std::copy(target.begin(), target.end(), batch.target(static_cast<std::int64_t>(to)).begin());
  batch.weights[to] = batch.weights[from];
  batch.passes[to] = batch.passes[from];
  batch.positions[to] = batch.positions[from];
  batch.valid[to] = 1;
}

}  // namespace

Lease<HostBatch> Batcher::operator()(const Group<Ticket>& tickets) const {
  const Lease<HostBatch>& lease = tickets.items.front().batch;
  HostBatch& batch = *lease;
  std::size_t used = 0;
  for (const Ticket& ticket : tickets.items) {
    for (std::size_t i = ticket.first; i < ticket.first + ticket.count; ++i) {
      if (batch.valid[i] == 0) continue;
      if (i != used) move_row(batch, i, used);
      ++used;
    }
  }
  batch.holes = batch.size - static_cast<std::int64_t>(used);
  batch.size = static_cast<std::int64_t>(used);
  return lease;
}

}  // namespace millrace
