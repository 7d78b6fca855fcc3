#pragma once
// Turns gathered tickets back into their batch and closes the holes that bad samples left.

#include <millrace/nodes/host_batch.h>
#include <millrace/pipeline/pipeline.h>

namespace millrace {

/// A node: Group<Ticket> -> the batch. Valid rows move to the front in their order; rows whose
/// ticket was skipped as a whole count as holes. A batch may end up empty (size 0) and still
/// arrives, since it may be the one that ends an epoch. Throws Error for a batch of which `size` or
/// `valid` was not stamped.
class Batcher {
 public:
  static constexpr bool writes_in_place = true;
  Lease<HostBatch> operator()(const Group<Ticket>& tickets) const;
};

}  // namespace millrace
