#pragma once
// The order of a pass over samples that lie in shards: nearly at random, but so that those that are
// near each other in the order are so on the disk too.

#include <cstdint>
#include <span>

namespace millrace {

/// Writes positions in `samples` into `order`, of the same length: the shards, whose first samples
/// `firsts` are (Dataset::shards()), in random order, each with its samples in theirs, and over
/// that a shuffle buffer: each next position is chosen from the `buffer` next ones. All are mixed
/// as in a shuffle of the whole where the buffer holds them all. A function of its arguments alone.
///
/// Requires: `firsts` begins with 0 and increases, buffer > 0.
void order_by_shards(std::span<const std::uint32_t> samples, std::span<const std::uint32_t> firsts,
                     std::uint64_t seed, std::uint32_t pass, std::uint32_t buffer,
                     std::span<std::uint32_t> order);

}  // namespace millrace
