#pragma once
// What a stage returns that begins work and does not wait for its end: a copy to a device, a
// request to another machine.

#include <millrace/core/completion.h>

namespace millrace {

/// As the result of a stage's body: `item` continues once `ended` has ended, and is the stage's
/// failure if that brings an error. Meanwhile no thread waits. Items may end out of order; what
/// follows sees the order of the source again. A run that is stopped waits for what has begun.
///
///   auto copied = p.then(batches, {.name = "copy"}, [](const Batch& batch) {
///     return Pending<Batch>{batch, begin_copy(batch)};
///   });
///
/// How many items may be under way is up to the pools that they hold slots of.
template <class Out>
struct Pending {
  Out item;
  Completion ended;

  /// For callers outside a pipeline: the item, once it has ended. Blocks; throws its error.
  operator Out() const {
    (void)ended.wait();
    return item;
  }
};

}  // namespace millrace
