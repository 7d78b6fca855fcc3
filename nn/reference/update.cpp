#include <millrace/nn/reference/update.h>

#include <algorithm>
#include <cmath>

namespace millrace::nn::reference {
namespace {

bool is_penalised(const Parameter& p) {
  return p.trainable && p.role == Role::kernel;
}

template <class Arena64>
auto part_of(Arena64& arena, const Parameter& p) {
  return std::span(arena).subspan(static_cast<std::size_t>(p.offset),
                                  static_cast<std::size_t>(p.shape.elements()));
}

double norm_of(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

}  // namespace

bool are_finite(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

double penalty(const Arenas& arenas, std::span<const Parameter> parameters,
               const GradientOptions& options) {
  double sum = 0;
  for (const Parameter& p : parameters) {
    if (!is_penalised(p)) continue;
    for (const double w : part_of(arenas.parameters, p)) sum += w * w;
  }
  return options.l2 * sum;
}

void penalise(Arenas& arenas, std::span<const Parameter> parameters,
              const GradientOptions& options) {
  for (const Parameter& p : parameters) {
    if (!is_penalised(p)) continue;
    const auto weights = part_of(arenas.parameters, p);
    const auto slopes = part_of(arenas.gradients, p);
    for (std::size_t i = 0; i < weights.size(); ++i) slopes[i] += 2 * options.l2 * weights[i];
  }
}

void clip(Arenas& arenas, std::span<const Parameter> parameters, const GradientOptions& options) {
  const auto scale = [](std::span<double> values, double factor) {
    for (double& value : values) value *= factor;
  };
  if (options.clip_value > 0) {
    for (double& g : arenas.gradients) g = std::clamp(g, -options.clip_value, options.clip_value);
  }
  if (options.clip_global_norm > 0) {
    const double norm = norm_of(arenas.gradients);
    scale(arenas.gradients, global_norm_factor(options.clip_global_norm, norm));
  }
  if (options.clip_norm > 0) {
    for (const Parameter& p : parameters) {
      if (!p.trainable) continue;
      const auto values = part_of(arenas.gradients, p);
      scale(values, norm_factor(options.clip_norm, norm_of(values)));
    }
  }
}

void update(Arenas& arenas, const OptimizerOptions& options, double learning_rate, std::int64_t t) {
  std::array<std::span<double>, kMostStates> states;
  std::copy(arenas.states.begin(), arenas.states.end(), states.begin());
  nn::update(options, learning_rate, t, std::span(arenas.parameters).first(arenas.gradients.size()),
             arenas.gradients,
             std::span(states).first(static_cast<std::size_t>(state_arenas(options))));
}

void clear_masks(Arenas& arenas, std::span<const Parameter> parameters) {
  for (const Parameter& p : parameters) {
    if (!p.trainable) continue;
    const auto mask = part_of(arenas.masks, p);
    std::fill(mask.begin(), mask.end(), 1.0);
  }
}

void apply_masks(Arenas& arenas) {
  for (std::vector<double>* values : {&arenas.parameters, &arenas.average}) {
    if (values->empty()) continue;
    for (std::size_t i = 0; i < arenas.masks.size(); ++i) {
      (*values)[i] = (*values)[i] * arenas.masks[i] + 0.0;  // +0, never -0
    }
  }
}

void take_average(Arenas& arenas, double momentum) {
  for (std::size_t i = 0; i < arenas.average.size(); ++i) {
    arenas.average[i] = averaged<PlainMath>(arenas.average[i], arenas.parameters[i], 1 - momentum);
  }
}

}  // namespace millrace::nn::reference
