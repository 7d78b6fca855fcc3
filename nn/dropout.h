#pragma once
// The masks of dropout: a function of (seed, pass, draw, layer, element), the same on every engine.

#include <cstdint>
#include <span>

namespace millrace::nn {

/// Writes 1 (keep) or 0 for each element of one sample. One Philox block gives four elements: word i
/// of block b decides element 4 b + i, which is kept when word >= rate * 2^32.
void dropout_mask(std::uint64_t seed, std::uint32_t pass, std::uint64_t draw, int layer, float rate,
                  std::span<std::uint8_t> mask);

}  // namespace millrace::nn
