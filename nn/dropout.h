#pragma once
// The masks of dropout: a function of (seed, pass, position, layer, element), the same on every
// engine.

#include <cstdint>
#include <span>

namespace millrace::nn {

/// Writes 1 (keep) or 0 for each element of one sample. One Philox block gives four elements: word
/// i of block b decides element 4 b + i, which is kept when word >= ceil(rate * 2^32). The key is
/// `seed`; the counter is {b, pass, position mod 2^32, (position >> 32) << 24 | layer << 8 |
/// Purpose::dropout}, lowest word first. Requires: 0 <= rate < 1, position < 2^40, 0 <= layer <
/// 2^16. Thread-safe.
void dropout_mask(std::uint64_t seed, std::uint32_t pass, std::uint64_t position, int layer,
                  float rate, std::span<std::uint8_t> mask);

}  // namespace millrace::nn
