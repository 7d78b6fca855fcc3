#pragma once
// The step and the update, for host and device: the formulas of nn/optimizer.cpp and nn/gradient.h,
// each arena read and written once.

#include <millrace/gpu/kernels.h>
#include <millrace/gpu/kernels/chunk.h>
#include <millrace/gpu/kernels/element.h>
#include <millrace/gpu/kernels/sums.h>

#include <cmath>
#include <cstdint>

namespace millrace::gpu {

MILLRACE_HOST_DEVICE inline void begin(const StepNumbers& step, Scalars* scalars) {
  scalars->learning_rate = step.learning_rate;
  scalars->t = step.t;
  scalars->samples = step.samples;
  scalars->pass = step.pass;
  scalars->is_masked = step.is_masked;
  scalars->unscale = static_cast<float>(1 / scalars->loss_scale.scale);
  scalars->found_infinite = 0;
}

struct BeginStep {
  StepNumbers step;
  Scalars* scalars;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t) const { begin(step, scalars); }
};

struct BeginKeptStep {
  const StepNumbers* step;
  Scalars* scalars;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t) const { begin(*step, scalars); }
};

/// A step a call.
struct KeepSteps {
  StepNumbers* steps;
  StepNumbers first;
  std::int64_t rest;  ///< samples of this step and all behind it
  double learning_rates[kRatesOfLaunch];

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    StepNumbers step = first;
    const std::int64_t left = rest - i * first.samples;
    step.learning_rate = learning_rates[i];
    step.t += i;
    step.samples = left < first.samples ? left : first.samples;
    steps[i] = step;
  }
};

/// One call: l2 times the folded squares.
struct Penalty {
  const double* partials;
  double l2;
  Scalars* scalars;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t) const {
    scalars->penalty = l2 * total(partials, kArenaTotals);
  }
};

/// One call between gradients and update. What the optimizer multiplies by depends on t, and t on
/// the steps that were skipped, which only the device knows.
struct Decide {
  const double* partials;  ///< folded; null with neither L2 nor clip_global_norm
  double l2, clip_global_norm;
  nn::OptimizerKind kind;
  double beta1, beta2, weight_decay;
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
    const double rate = scalars->learning_rate;
    scalars->step = rate;
    scalars->root_scale = 1;
    scalars->keep = 1;
    if (kind == nn::OptimizerKind::sgd) return;
    const auto t = static_cast<double>(scalars->t - scalars->loss_scale.skipped);
    const double first = 1 - std::pow(beta1, t);
    const double second = std::sqrt(1 - std::pow(beta2, t));
    if (kind == nn::OptimizerKind::keras_adam) {
      scalars->step = rate * second / first;
    } else {
      scalars->step = rate / first;
      scalars->root_scale = 1 / second;
    }
    if (kind == nn::OptimizerKind::adamw) scalars->keep = 1 - rate * weight_decay;
  }
};

/// The numbers of this step that an optimizer needs, as float32.
struct StepConstants {
  float step, root_scale, keep;
};

/// An optimizer changes one weight and its state, of which it keeps kStates numbers.
struct Sgd {
  static constexpr int kStates = 0;
  float decay;

  MILLRACE_HOST_DEVICE void operator()(const StepConstants& now, float gradient, float& w, float&,
                                       float&) const {
    w -= now.step * (gradient + decay * w);
  }
};

struct Momentum {
  static constexpr int kStates = 1;
  float decay, momentum;
  float own, past;  ///< of the gradient and of the buffer in what is subtracted

  MILLRACE_HOST_DEVICE void operator()(const StepConstants& now, float gradient, float& w,
                                       float& buffer, float&) const {
    const float g = gradient + decay * w;
    buffer = momentum * buffer + g;
    w -= now.step * (own * g + past * buffer);
  }
};

struct Adam {
  static constexpr int kStates = 2;
  float decay, beta1, beta2, rest1, rest2, epsilon;

  MILLRACE_HOST_DEVICE void operator()(const StepConstants& now, float gradient, float& w,
                                       float& first, float& second) const {
    const float g = gradient + decay * w;
    first = beta1 * first + rest1 * g;
    second = beta2 * second + rest2 * g * g;
    w = now.keep * w - now.step * first / (now.root_scale * std::sqrt(second) + epsilon);
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
template <class T, class Optimizer>
struct Update {
  std::int64_t elements;
  float* weights;
  T* working;  ///< or null
  const T* gradients;
  float* first;
  float* second;
  const float* masks;  ///< or null
  float* given;        ///< or null
  GradientRule rule;
  Optimizer optimizer;
  const Scalars* scalars;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    if (scalars->found_infinite != 0) return;
    constexpr int kSize = kChunk<T>;
    const std::int64_t begin = i * kSize;
    auto g = floats(read_chunk<kSize>(gradients, begin, elements));
    auto w = read_chunk<kSize>(weights, begin, elements);
    Chunk<float, kSize> m{}, v{};
    if constexpr (Optimizer::kStates >= 1) m = read_chunk<kSize>(first, begin, elements);
    if constexpr (Optimizer::kStates >= 2) v = read_chunk<kSize>(second, begin, elements);

    const auto gradient = rule.at(begin, *scalars);
    const StepConstants now{static_cast<float>(scalars->step),
                            static_cast<float>(scalars->root_scale),
                            static_cast<float>(scalars->keep)};
    for (int k = 0; k < kSize; ++k) {
      g.values[k] = gradient(g.values[k], w.values[k]);
      optimizer(now, g.values[k], w.values[k], m.values[k], v.values[k]);
    }
    if (masks != nullptr && scalars->is_masked != 0) {
      const auto mask = read_chunk<kSize>(masks, begin, elements);
      // Plus zero: what is masked is +0, never -0, so that files of pruned weights compress.
      for (int k = 0; k < kSize; ++k) w.values[k] = w.values[k] * mask.values[k] + 0.0F;
    }

    write_chunk(weights, begin, elements, w);
    if constexpr (Optimizer::kStates >= 1) write_chunk(first, begin, elements, m);
    if constexpr (Optimizer::kStates >= 2) write_chunk(second, begin, elements, v);
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
