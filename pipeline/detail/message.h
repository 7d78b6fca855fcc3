#pragma once
// What travels along the edges of a running pipeline.

#include <millrace/pipeline/detail/item.h>
#include <millrace/pipeline/pool.h>

#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace millrace::detail {

/// Copied by oneTBB several times a hop, hence small: larger ones would leave its pool of small
/// objects.
struct Message {
  enum class Kind : std::uint8_t {
    item,         // or a tombstone, if `item` is empty
    wake,         // a slot of the stage's pool is free
    end_of_call,  // to gather: `index` items belong to call `call`
    limit,        // to join: items from number `sequence` on have no partner or no reader
  };
  std::uint64_t sequence = 0;  // dense along a stream
  SlotHandle token;            // keeps the source's slot until the item is gone
  Item item;
  std::uint32_t call = 0;   // the source call that emitted it
  std::uint32_t index = 0;  // its place in that call
  Kind kind = Kind::item;
  std::uint8_t port = 0;      // which of its inputs a stage reads it from
  std::uint16_t attempt = 0;  // how often the stage has failed on it
};
static_assert(sizeof(Message) <= 64);

/// How long a stream is at most: later numbers never come, or are not needed.
struct Length {
  std::uint64_t items = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t calls = std::numeric_limits<std::uint64_t>::max();  // of its source
};

/// The tokens of several messages as one. Belongs to no pool: the last owner deletes it.
struct Bundle final : SlotBase {
  explicit Bundle(std::vector<SlotHandle> held) : tokens(std::move(held)) {}
  void recycle() noexcept override { delete this; }
  [[nodiscard]] static SlotHandle of(std::vector<SlotHandle> tokens) {
    auto* const bundle = new Bundle(std::move(tokens));
    bundle->owners.store(1, std::memory_order_relaxed);
    return SlotHandle(bundle);
  }
  std::vector<SlotHandle> tokens;
};

}  // namespace millrace::detail
