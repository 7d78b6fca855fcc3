#pragma once
// Batch normalisation in two halves, because a batch is divided between threads: each finds the
// sums of its own rows, and when all have theirs, each goes over its rows again. Sums are taken of
// differences from the mean, sample by sample, and put together by Chan, Golub and LeVeque's
// formula (1979), so that nothing is lost where a mean is large. Memory is float32. Channels that
// pad a block are zero in all that is made. Not thread-safe for the same memory.

#include <millrace/cpu/kernels/rectifier.h>
#include <millrace/cpu/layouts.h>
#include <millrace/nn/layers/batch_norm.h>

#include <cstdint>
#include <span>

namespace millrace::cpu {

/// The rows of one thread.
struct NormRows {
  ChannelBlocks image;
  std::int64_t rows = 0;  ///< samples that are valid; what is made of the rest is zero

  /// With those that pad the last block.
  [[nodiscard]] std::int64_t padded() const { return image.blocks() * image.block; }
};

/// What is done with values right after they are normalised.
struct AfterNorm {
  float ceiling = kNoRectifier;
  const float* other = nullptr;  ///< added before that; or null
};

/// Floats of what a thread finds in its rows.
[[nodiscard]] constexpr std::int64_t statistics_size(std::int64_t padded) {
  return 2 * padded + 16;
}
/// Means, sums of squared differences from them, and of how many values they are.
void find_statistics(const NormRows& rows, const float* x, float* statistics);

/// A normalisation's constants, each [padded]: mean, 1 / deviation, gamma / deviation, beta.
inline constexpr std::int64_t kNormConstants = 4;
/// From what all threads have found, [threads][statistics_size()].
void set_constants(const nn::BatchNorm& options, std::int64_t channels, std::int64_t padded,
                   std::span<const float> statistics, const float* gamma, const float* beta,
                   float* constants);
/// Of a normalisation by given statistics, each [channels].
struct NormParameters {
  const float *mean, *variance, *gamma, *beta;
};
/// From given statistics.
void set_constants(const nn::BatchNorm& options, std::int64_t channels, std::int64_t padded,
                   const NormParameters& norm, float* constants);
/// A convolution's kernel, and its bias (null: none), so that it does the normalisation too: kernel
/// gamma / deviation, and beta + (bias - mean) gamma / deviation. What pads `kernel` is zero, and
/// what pads `folded_kernel` too.
void fold(const nn::BatchNorm& options, const NormParameters& norm, const OutputBlocks& shape,
          const float* kernel, const float* bias, float* folded_kernel, float* folded_bias);
/// running = momentum * running + (1 - momentum) * batch.
void move_running(const nn::BatchNorm& options, std::int64_t channels, std::int64_t padded,
                  std::span<const float> statistics, float* mean, float* variance);

/// y = gamma (x - mean) / deviation + beta, and what comes after. y may be x or `other`.
void normalise(const NormRows& rows, const float* x, const float* constants, const AfterNorm& after,
               float* y);

/// Sums of dy, and of dy (x - mean) / deviation, each [padded]. With a rectifier, dy counts where
/// what was normalised is above zero and below the ceiling.
void find_gradient_sums(const NormRows& rows, const float* x, const float* dy,
                        const float* constants, float ceiling, float* sums);
/// dx of the rows, from sums of all threads, [threads][2][padded], over `count` values a channel.
/// dx may be dy.
void normalise_gradient(const NormRows& rows, const float* x, const float* dy,
                        const float* constants, std::span<const float> sums, std::int64_t count,
                        float ceiling, float* dx);
/// The same where statistics are constants: dx = dy gamma / deviation.
void scale_gradient(const NormRows& rows, const float* dy, const float* constants, float* dx);

}  // namespace millrace::cpu
