#pragma once
// The update, for host and device: the rules of nn/optimizers/ and the formulas of
// nn/gradient.h, each arena read and written once.

#include <millrace/gpu/kernels/sums.h>
#include <millrace/nn/loss_scale.h>
#include <millrace/nn/optimizer.h>

#include <cmath>
#include <cstdint>

namespace millrace::gpu {

/// One call: l2 times the folded squares.
struct Penalty {
  const double* partials;
  double l2;
  Scalars* scalars;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t) const {
    scalars->penalty = l2 * total(partials, kArenaTotals);
  }
};

/// A chunk a call: adds the gradients of a step to those of its group, each times the step's
/// samples. They are still scaled.
template <class T>
struct SumGradients {
  std::int64_t elements;
  const T* gradients;
  float* sums;
  const Scalars* scalars;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kSize = kChunk<T>;
    const std::int64_t begin = i * kSize;
    const auto g = floats(read_chunk<kSize>(gradients, begin, elements));
    auto sum = read_chunk<kSize>(sums, begin, elements);
    const bool is_first = scalars->before == 0;
    const auto samples = static_cast<float>(scalars->samples);
    for (int k = 0; k < kSize; ++k) {
      sum.values[k] = (is_first ? 0.0F : sum.values[k]) + samples * g.values[k];
    }
    write_chunk(sums, begin, elements, sum);
  }
};

/// A chunk a call: makes gradients, of the mean over its samples, of a group's sums.
template <class T>
struct MeanGradients {
  std::int64_t elements;
  const float* sums;
  T* gradients;
  const Scalars* scalars;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kSize = kChunk<T>;
    const std::int64_t begin = i * kSize;
    auto mean = read_chunk<kSize>(sums, begin, elements);
    const auto samples = static_cast<float>(scalars->together);
    for (int k = 0; k < kSize; ++k) mean.values[k] /= samples;
    write_chunk(gradients, begin, elements, rounded<T>(mean));
  }
};

/// One call between the sums of a group and its update, whose results then count.
struct EndGroup {
  Scalars* scalars;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t) const {
    scalars->results.add(scalars->of_group);
    scalars->of_group = {};
  }
};

/// One call between gradients and update. What the optimizer multiplies by depends on t, and t on
/// the steps that were skipped, which only the device knows.
template <class Optimizer>
struct Decide {
  const double* partials;  ///< folded; null with neither L2 nor clip_global_norm
  double l2, clip_global_norm;
  nn::UpdateOptions optimizer;
  nn::LossScaleOptions loss_scale;
  bool scales;
  Scalars* scalars;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t) const {
    scalars->penalty = l2 > 0 ? l2 * total(partials, kArenaTotals) : 0.0;
    scalars->clip = clip_global_norm > 0 ? global_factor() : 1.0;
    set_constants();
    if (!scales) {
      scalars->found_infinite = 0;
    } else {
      nn::advance(scalars->loss_scale, loss_scale, scalars->found_infinite == 0);
    }
  }

  /// nn::global_norm_factor().
  MILLRACE_HOST_DEVICE double global_factor() const {
    const double norm = std::sqrt(total(partials + kArenaParts, kArenaTotals));
    if (!(norm < static_cast<double>(INFINITY))) return static_cast<double>(NAN);
    const double shorter = 1 / norm, most = 1 / clip_global_norm;
    return clip_global_norm * (shorter < most ? shorter : most);
  }

  MILLRACE_HOST_DEVICE void set_constants() const {
    const auto t = static_cast<double>(scalars->t - scalars->loss_scale.skipped);
    scalars->of_optimizer.set(Optimizer::step(optimizer, scalars->learning_rate, t));
  }
};

/// From a stored gradient to that which the optimizer is given.
struct GradientRule {
  const Segment* segments;  ///< null with neither L2 nor clip_norm
  std::int64_t segment_count;
  const double* norms;  ///< factors of segments; null without clip_norm
  float slope;          ///< of L2: 2 l2
  float clip_value;     ///< 0: none

  /// What holds for all elements of a chunk.
  struct Local {
    float unscale, slope, most, factor;

    MILLRACE_HOST_DEVICE float operator()(float stored, float w) const {
      float g = stored * unscale;
      if (slope != 0) g += slope * w;
      if (most == 0) return g * factor;
      return g < -most ? -most : (most < g ? most : g);
    }
  };
  MILLRACE_HOST_DEVICE Local at(std::int64_t element, const Scalars& scalars) const {
    Local local{scalars.unscale, 0, clip_value, static_cast<float>(scalars.clip)};
    if (segments == nullptr) return local;
    const std::int64_t s = SegmentCursor(segments, segment_count).find(element);
    if (segments[s].is_penalised != 0) local.slope = slope;
    if (norms != nullptr) local.factor = static_cast<float>(norms[s * kNormParts]);
    return local;
  }
};

/// A chunk a call.
template <class T, class Rule, int... S>
struct Update {
  std::int64_t elements;
  float* weights;
  T* working;  ///< or null
  const T* gradients;
  float* states[nn::kMostStates];
  const float* masks;  ///< or null
  float* given;        ///< or null
  GradientRule rule;
  typename Rule::template Fixed<float> fixed;
  const Scalars* scalars;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    if (scalars->found_infinite != 0) return;
    constexpr int kSize = kChunk<T>;
    const std::int64_t begin = i * kSize;
    auto g = floats(read_chunk<kSize>(gradients, begin, elements));
    auto w = read_chunk<kSize>(weights, begin, elements);
    [[maybe_unused]] Chunk<float, kSize> state[nn::kMostStates];
    ((state[S] = read_chunk<kSize>(states[S], begin, elements)), ...);

    const auto gradient = rule.at(begin, *scalars);
    const auto step = scalars->of_optimizer.get<Rule::template Step>();
    for (int k = 0; k < kSize; ++k) {
      g.values[k] = gradient(g.values[k], w.values[k]);
      Rule::template apply<nn::PlainMath, float>(fixed, step, g.values[k], w.values[k],
                                                 state[S].values[k]...);
    }
    if (masks != nullptr && scalars->is_masked != 0) {
      const auto mask = read_chunk<kSize>(masks, begin, elements);
      // Plus zero: what is masked is +0, never -0, so that files of pruned weights compress.
      for (int k = 0; k < kSize; ++k) w.values[k] = w.values[k] * mask.values[k] + 0.0F;
    }

    write_chunk(weights, begin, elements, w);
    (write_chunk(states[S], begin, elements, state[S]), ...);
    if (given != nullptr) write_chunk(given, begin, elements, g);
    if (working != nullptr) write_chunk(working, begin, elements, rounded<T>(w));
  }
};

/// A chunk a call: what GradientRule makes of the gradients.
template <class T>
struct ReadGradients {
  std::int64_t elements;
  const T* gradients;
  const float* weights;
  GradientRule rule;
  bool clips;
  float* seen;
  const Scalars* scalars;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kSize = kChunk<T>;
    const std::int64_t begin = i * kSize;
    auto g = floats(read_chunk<kSize>(gradients, begin, elements));
    const auto w = read_chunk<kSize>(weights, begin, elements);
    auto gradient = rule.at(begin, *scalars);
    if (!clips) gradient.factor = 1;
    for (int k = 0; k < kSize; ++k) g.values[k] = gradient(g.values[k], w.values[k]);
    write_chunk(seen, begin, elements, g);
  }
};

/// A chunk a call, after an update: averages take the weights that it made, unless it was skipped.
/// A separate launch, because Update has no registers left: Adam's would spill in 16 bits.
struct TakeAverage {
  std::int64_t elements;
  const float* weights;
  float* average;
  const float* masks;  ///< or null
  float share;         ///< of the new weights
  const Scalars* scalars;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    if (scalars->found_infinite != 0) return;
    constexpr int kSize = kChunk<float>;
    const std::int64_t begin = i * kSize;
    const auto w = read_chunk<kSize>(weights, begin, elements);
    auto mean = read_chunk<kSize>(average, begin, elements);
    for (int k = 0; k < kSize; ++k) {
      mean.values[k] = nn::averaged<nn::PlainMath>(mean.values[k], w.values[k], share);
    }
    if (masks != nullptr && scalars->is_masked != 0) {
      const auto mask = read_chunk<kSize>(masks, begin, elements);
      for (int k = 0; k < kSize; ++k) mean.values[k] = mean.values[k] * mask.values[k] + 0.0F;
    }
    write_chunk(average, begin, elements, mean);
  }
};

/// A chunk a call: weights and averages change places.
template <class T>
struct SwapAverage {
  std::int64_t elements;
  float* weights;
  float* average;
  T* working;  ///< or null

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kSize = kChunk<T>;
    const std::int64_t begin = i * kSize;
    const auto w = read_chunk<kSize>(weights, begin, elements);
    const auto mean = read_chunk<kSize>(average, begin, elements);
    write_chunk(average, begin, elements, w);
    write_chunk(weights, begin, elements, mean);
    if (working != nullptr) write_chunk(working, begin, elements, rounded<T>(mean));
  }
};

/// A chunk of 16 bytes of T a call: float32 in the storage type, or as it is.
template <class T>
struct CopyAs {
  std::int64_t elements;
  const float* from;
  T* to;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kSize = kChunk<T>;
    const auto values = read_chunk<kSize>(from, i * kSize, elements);
    write_chunk(to, i * kSize, elements, rounded<T>(values));
  }
};

}  // namespace millrace::gpu
