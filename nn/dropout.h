#pragma once
// The masks of dropout: a function of (seed, pass, draw, layer, element), the same on every engine.

#include <cstdint>
#include <span>

namespace millrace::nn {

/// Writes 1 (keep) or 0 for each element of one sample. One Philox block gives four elements: word
/// i of block b decides element 4 b + i, which is kept when word >= ceil(rate * 2^32). The key is
/// `seed`; the counter is {b, pass, draw mod 2^32, (draw >> 32) << 24 | layer << 8 |
/// Draw::dropout}, lowest word first. Requires: 0 <= rate < 1, draw < 2^40, 0 <= layer < 2^16.
/// Thread-safe.
void dropout_mask(std::uint64_t seed, std::uint32_t pass, std::uint64_t draw, int layer, float rate,
                  std::span<std::uint8_t> mask);

}  // namespace millrace::nn
