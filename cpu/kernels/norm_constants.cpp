// From what threads have found in their rows to the constants of a normalisation: a few numbers a
// channel.

#include <millrace/cpu/kernels/batch_norm.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace millrace::cpu {
namespace {

struct Moments {
  double count = 0, mean = 0, squares = 0;
};

/// Of a channel, over all threads' rows.
Moments moments(std::span<const float> statistics, std::int64_t padded, std::int64_t channel) {
  Moments all;
  const auto size = static_cast<std::size_t>(statistics_size(padded));
  for (std::size_t first = 0; first < statistics.size(); first += size) {
    const float* const own = statistics.data() + first;
    const double count = double{own[2 * padded]};
    if (count == 0) continue;
    const double difference = double{own[channel]} - all.mean;
    const double sum = all.count + count;
    all.squares +=
        double{own[padded + channel]} + difference * difference * all.count * count / sum;
    all.mean += difference * count / sum;
    all.count = sum;
  }
  return all;
}

double inverse_deviation(const nn::BatchNorm& options, double variance) {
  return 1 / std::sqrt(variance + double{options.epsilon});
}

void set(const nn::BatchNorm& options, std::int64_t padded, std::int64_t channel, double mean,
         double variance, const float* gamma, const float* beta, float* constants) {
  const double inverse = inverse_deviation(options, variance);
  constants[channel] = static_cast<float>(mean);
  constants[padded + channel] = static_cast<float>(inverse);
  constants[2 * padded + channel] = static_cast<float>(double{gamma[channel]} * inverse);
  constants[3 * padded + channel] = beta[channel];
}

void clear(std::int64_t padded, float* constants) {
  std::fill_n(constants, kNormConstants * padded, 0.0F);
}

}  // namespace

void set_constants(const nn::BatchNorm& options, std::int64_t channels, std::int64_t padded,
                   std::span<const float> statistics, const float* gamma, const float* beta,
                   float* constants) {
  clear(padded, constants);
  for (std::int64_t c = 0; c < channels; ++c) {
    const Moments m = moments(statistics, padded, c);
    set(options, padded, c, m.mean, m.squares / m.count, gamma, beta, constants);
  }
}

void set_constants(const nn::BatchNorm& options, std::int64_t channels, std::int64_t padded,
                   const NormParameters& norm, float* constants) {
  clear(padded, constants);
  for (std::int64_t c = 0; c < channels; ++c) {
    set(options, padded, c, double{norm.mean[c]}, double{norm.variance[c]}, norm.gamma, norm.beta,
        constants);
  }
}

void fold(const nn::BatchNorm& options, const NormParameters& norm, const OutputBlocks& shape,
          const float* kernel, const float* bias, float* folded_kernel, float* folded_bias) {
  std::vector<float> factors(static_cast<std::size_t>(shape.block));
  for (std::int64_t first = 0; first < shape.outputs; first += shape.block) {
    std::ranges::fill(factors, 0.0F);
    const std::int64_t count = std::min(shape.block, shape.outputs - first);
    for (std::int64_t i = 0, c = first; i < count; ++i, ++c) {
      const double factor = double{norm.gamma[c]} * inverse_deviation(options, norm.variance[c]);
      const double before = bias == nullptr ? 0.0 : double{bias[c]};
      factors[static_cast<std::size_t>(i)] = static_cast<float>(factor);
      folded_bias[c] =
          static_cast<float>(double{norm.beta[c]} + (before - double{norm.mean[c]}) * factor);
    }
    for (std::int64_t value = 0; value < shape.values; ++value) {
      for (const float factor : factors) *folded_kernel++ = *kernel++ * factor;
    }
  }
}

void move_running(const nn::BatchNorm& options, std::int64_t channels, std::int64_t padded,
                  std::span<const float> statistics, float* mean, float* variance) {
  const double keep = double{options.momentum};
  for (std::int64_t c = 0; c < channels; ++c) {
    const Moments m = moments(statistics, padded, c);
    // One value has no unbiased variance; its biased one is 0.
    const bool is_biased = options.biased_variance || m.count < 2;
    const double own = m.squares / (is_biased ? m.count : m.count - 1);
    mean[c] = static_cast<float>(keep * double{mean[c]} + (1 - keep) * m.mean);
    variance[c] = static_cast<float>(keep * double{variance[c]} + (1 - keep) * own);
  }
}

}  // namespace millrace::cpu
