#pragma once
// Dropout's loops. OpenMP splits them in fixed pieces, so results do not depend on which thread is
// faster. Memory is float32 by default.

#include <millrace/cpu/layouts.h>
#include <millrace/nn/engine.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace::cpu {

struct DropoutMask {
  std::uint64_t seed = 0;
  int layer = 0;
  float rate = 0;
};

/// Fills `mask`, one byte an element in the logical order, for the valid samples; zero for the
/// rest.
void draw_masks(const ChannelBlocks& image, const DropoutMask& how, const nn::Batch& batch,
                std::byte* mask);

/// y = mask ? x / (1 - rate) : 0, forward and backward. x and y may be the same memory.
void apply_dropout(const ChannelBlocks& image, float rate, const std::byte* x,
                   const std::byte* mask, std::byte* y);

}  // namespace millrace::cpu
