#pragma once
// The loops that this engine runs itself, between oneDNN's primitives: dropout, running averages
// and factors of frozen batch norm (the update has update.h). OpenMP splits them in fixed pieces,
// so results do not depend on which thread is faster. Memory is float32 unless said otherwise.

#include <millrace/cpu/layouts.h>
#include <millrace/nn/engine.h>
#include <millrace/nn/layers/batch_norm.h>

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

struct RunningAverage {
  nn::BatchNorm options;
  std::int64_t channels = 0;
  std::int64_t count = 0;  ///< values that a channel's statistics were made of
};

/// running = momentum * running + (1 - momentum) * batch; `variance` is the biased one.
void update_running(const RunningAverage& average, const std::byte* mean, const std::byte* variance,
                    std::byte* running_mean, std::byte* running_variance);

/// factors[c] = gamma[c] / sqrt(variance[c] + epsilon).
void normalisation_factors(std::int64_t channels, float epsilon, const std::byte* gamma,
                           const std::byte* variance, std::byte* factors);

/// y = x * factors[channel]. x and y may be the same memory.
void scale_channels(const ChannelBlocks& image, const std::byte* x, const std::byte* factors,
                    std::byte* y);

}  // namespace millrace::cpu
