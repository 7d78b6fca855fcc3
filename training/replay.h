#pragma once
// Feeds a few batches, kept in memory, over and over: no reading, no decoding, no copy. Later
// stages can then be measured as if the input cost nothing.
//
//   auto kept = std::make_shared<KeptBatches>();
//   load.sink(batches, {.name = "keep"}, KeepBatches(kept));    // a pool of as many slots
//   load.run();
//   auto slots = p.pool<HostBatch>("host", 3, ReplaySlotFactory{batch_factory});
//   auto fed = p.source({.name = "replay"}, slots, Replay(kept, {.epochs = 2, .steps = 100}));

#include <millrace/nodes/host_batch.h>
#include <millrace/pipeline/pipeline.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace millrace {

/// In the order in which they are fed. The leases may outlive the pipeline that filled them.
using KeptBatches = std::vector<Lease<HostBatch>>;

/// A sink: keeps each batch that arrives, in the order of arrival. The pool that they come from
/// needs as many slots as there are batches, or its source waits for ever.
class KeepBatches {
 public:
  explicit KeepBatches(std::shared_ptr<KeptBatches> kept);
  static constexpr bool is_serial = true;
  void operator()(const Lease<HostBatch>& batch);

 private:
  std::shared_ptr<KeptBatches> kept_;
};

/// Makes the slots of a pool for Replay, or for resident samples (resident.h): like host batches,
/// but with room for labels alone; the pixels are those of the kept batches, or none.
struct ReplaySlotFactory {
  HostBatchFactory batch;  ///< of the kept batches

  [[nodiscard]] HostBatch operator()() const;
  [[nodiscard]] Bytes bytes() const;  ///< of one slot
};

struct ReplayOptions {
  std::uint32_t epochs = 1;
  std::uint32_t steps = 1;       ///< of an epoch
  std::uint32_t accumulate = 1;  ///< as ReaderOptions has it
  ReaderPosition start{};        ///< the first batch: BatchTag::next of the last one before it
  /// Set from outside: no further batch is needed (early stopping). May be empty.
  std::shared_ptr<const std::atomic<bool>> finished{};
};

/// A source over a pool of ReplaySlotFactory's slots: batch g of the run is kept batch g modulo
/// their number, whatever the epoch; there is no validation. Later stages see the same as from a
/// DirectoryReader of a data set of just these samples in their order: a pass is one
/// round of the kept batches.
///
/// The pixels of a batch are shared with the kept one and must not be written to. Throws Error from
/// its first call if nothing is kept, and from the constructor for a start that the options do not
/// have.
class Replay {
 public:
  Replay(std::shared_ptr<const KeptBatches> kept, ReplayOptions options);
  bool operator()(Lease<HostBatch> slot, Emit<Lease<HostBatch>>& emit);

 private:
  void fill(HostBatch& slot, std::uint64_t number) const;
  [[nodiscard]] ReaderPosition position(std::uint64_t number) const;

  std::shared_ptr<const KeptBatches> kept_;
  ReplayOptions options_;
  std::uint64_t next_;  // the number of the next batch in the run
  std::vector<std::uint32_t>
      positions_;  // of the first sample of each kept batch, once it is asked
};

}  // namespace millrace
