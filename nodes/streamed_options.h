#pragma once
// How a stream of samples becomes the batches of a run; see streamed.h.

#include <millrace/core/bytes.h>
#include <millrace/nodes/host_batch.h>

#include <atomic>
#include <cstdint>
#include <memory>

namespace millrace {

struct StreamedOptions {
  std::int64_t batch = 0;  ///< samples of a batch; 0: what a slot holds
  std::uint32_t epochs = 1;
  /// 0: an epoch ends where its stream ends, and its last batch may be short. Otherwise this many
  /// full batches; a stream that ends within an epoch is begun again, as the next pass.
  std::uint32_t steps_per_epoch = 0;
  /// Where an epoch ends with its stream: leave out its last batch of training if that is short.
  bool drop_last = false;
  std::uint32_t limit_batches = 0;   ///< at most this many batches a phase; 0: all
  std::uint32_t ticket_samples = 0;  ///< most samples of a Rows; 0: see ticket_samples()
  /// What a sample holds until it is in its row (such as the bytes of a file), on average over a
  /// batch. Charged for all slots, for what is pulled ahead and for `buffered`, and held: samples
  /// of a batch that hold more are an error. 0: nothing is charged or held.
  Bytes payload{};
  std::uint64_t buffered =
      0;                   ///< samples that the stream itself keeps, such as those of shuffled()
  ReaderPosition start{};  ///< the first batch: BatchTag::next of the last one before it
  /// This many training batches, from the first of an epoch on, make one update, and the last group
  /// of an epoch is what is left: nn::CompileOptions::accumulate.
  std::uint32_t accumulate = 1;
  /// Set from outside: no further batch is needed (early stopping). May be empty.
  std::shared_ptr<const std::atomic<bool>> finished{};
};

}  // namespace millrace
