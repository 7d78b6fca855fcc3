#include <millrace/nn/optimizer.h>

#include <millrace/core/error.h>

#include <array>
#include <cmath>
#include <utility>

namespace millrace::nn {
namespace {

constexpr std::array<std::pair<OptimizerKind, const char*>, 4> kNames{{
    {OptimizerKind::sgd, "sgd"},
    {OptimizerKind::adam, "adam"},
    {OptimizerKind::keras_adam, "keras_adam"},
    {OptimizerKind::adamw, "adamw"},
}};

double epsilon_of(const OptimizerOptions& options) {
  if (options.epsilon != 0) return options.epsilon;
  return options.kind == OptimizerKind::keras_adam ? 1e-7 : 1e-8;
}

template <class Float>
void plain_sgd(const OptimizerOptions& options, double learning_rate, std::span<Float> weights,
               std::span<const Float> gradients) {
  const auto rate = static_cast<Float>(learning_rate);
  const auto decay = static_cast<Float>(options.weight_decay);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] -= rate * (gradients[i] + decay * weights[i]);
  }
}

// The buffer starts at zero, so the first step makes it the gradient, as PyTorch does. The rate
// multiplies the buffer when it is used: a schedule acts at once.
template <class Float>
void momentum_sgd(const OptimizerOptions& options, double learning_rate, std::span<Float> weights,
                  std::span<const Float> gradients, std::span<Float> buffer) {
  const auto rate = static_cast<Float>(learning_rate);
  const auto decay = static_cast<Float>(options.weight_decay);
  const auto momentum = static_cast<Float>(options.momentum);
  const Float own = options.nesterov ? Float{1} : Float{0};
  const Float past = options.nesterov ? momentum : Float{1};
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Float g = gradients[i] + decay * weights[i];
    buffer[i] = momentum * buffer[i] + g;
    weights[i] -= rate * (own * g + past * buffer[i]);
  }
}

/// What the three kinds of Adam differ in: m and v follow the same averages, and
/// w -= step m / (root_scale sqrt(v) + epsilon), after w -= shrink w.
struct AdamConstants {
  double step;        ///< learning rate over the correction of m
  double root_scale;  ///< correction of sqrt(v)
  double shrink;      ///< decoupled decay
  double decay;       ///< decay inside the gradient
};

AdamConstants adam_constants(const OptimizerOptions& options, double learning_rate,
                             std::int64_t t) {
  const double first = 1 - std::pow(options.beta1, static_cast<double>(t));
  const double second = std::sqrt(1 - std::pow(options.beta2, static_cast<double>(t)));
  const bool is_decoupled = options.kind == OptimizerKind::adamw;
  const double shrink = is_decoupled ? learning_rate * options.weight_decay : 0;
  const double decay = is_decoupled ? 0 : options.weight_decay;
  if (options.kind == OptimizerKind::keras_adam) {
    return {learning_rate * second / first, 1, shrink, decay};
  }
  return {learning_rate / first, 1 / second, shrink, decay};
}

template <class Float>
void adam(const OptimizerOptions& options, double learning_rate, std::int64_t t,
          std::span<Float> weights, std::span<const Float> gradients, std::span<Float> first,
          std::span<Float> second) {
  const AdamConstants constants = adam_constants(options, learning_rate, t);
  const auto step = static_cast<Float>(constants.step);
  const auto root_scale = static_cast<Float>(constants.root_scale);
  const auto keep = static_cast<Float>(1 - constants.shrink);
  const auto decay = static_cast<Float>(constants.decay);
  const auto beta1 = static_cast<Float>(options.beta1);
  const auto beta2 = static_cast<Float>(options.beta2);
  const auto rest1 = static_cast<Float>(1 - options.beta1);
  const auto rest2 = static_cast<Float>(1 - options.beta2);
  const auto epsilon = static_cast<Float>(epsilon_of(options));
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Float g = gradients[i] + decay * weights[i];
    const Float m = beta1 * first[i] + rest1 * g;
    const Float v = beta2 * second[i] + rest2 * g * g;
    first[i] = m;
    second[i] = v;
    weights[i] = keep * weights[i] - step * m / (root_scale * std::sqrt(v) + epsilon);
  }
}

}  // namespace

OptimizerKind optimizer_kind(std::string_view name) {
  for (const auto& [kind, known] : kNames) {
    if (name == known) return kind;
  }
  throw UsageError(concat("unknown optimizer '", name, "'; known: sgd, adam, keras_adam, adamw"));
}

const char* to_string(OptimizerKind kind) noexcept {
  for (const auto& [known, name] : kNames) {
    if (kind == known) return name;
  }
  return "?";
}

void validate(const OptimizerOptions& options) {
  const auto require = [](bool condition, const char* option, const char* range, double value) {
    if (!condition) throw UsageError(concat(option, ": expected ", range, ", not ", value));
  };
  const auto is_share = [](double value) { return value >= 0 && value < 1; };
  require(options.learning_rate > 0 && std::isfinite(options.learning_rate), "learning_rate",
          "a positive number", options.learning_rate);
  require(is_share(options.momentum), "momentum", "0 <= momentum < 1", options.momentum);
  require(is_share(options.beta1), "beta1", "0 <= beta1 < 1", options.beta1);
  require(is_share(options.beta2), "beta2", "0 <= beta2 < 1", options.beta2);
  require(options.epsilon >= 0 && std::isfinite(options.epsilon), "epsilon", "0 or more",
          options.epsilon);
  require(options.weight_decay >= 0 && std::isfinite(options.weight_decay), "weight_decay",
          "0 or more", options.weight_decay);
  require(!options.nesterov || options.momentum > 0, "nesterov", "a momentum above 0",
          options.momentum);
}

int state_arenas(const OptimizerOptions& options) noexcept {
  if (options.kind != OptimizerKind::sgd) return 2;
  return options.momentum == 0 ? 0 : 1;
}

template <class Float>
void update(const OptimizerOptions& options, double learning_rate, std::int64_t t,
            std::span<Float> weights, std::span<const Float> gradients, std::span<Float> first,
            std::span<Float> second) {
  const int states = state_arenas(options);
  MILLRACE_CHECK(t >= 1, "steps count from 1, not ", t);
  MILLRACE_CHECK(gradients.size() == weights.size(), "as many gradients as weights");
  MILLRACE_CHECK(first.size() == (states >= 1 ? weights.size() : 0) &&
                     second.size() == (states >= 2 ? weights.size() : 0),
                 to_string(options.kind), " keeps ", states,
                 " state arenas as long as the weights");
  switch (states) {
    case 0: return plain_sgd<Float>(options, learning_rate, weights, gradients);
    case 1: return momentum_sgd<Float>(options, learning_rate, weights, gradients, first);
    default: return adam<Float>(options, learning_rate, t, weights, gradients, first, second);
  }
}

template void update<float>(const OptimizerOptions&, double, std::int64_t, std::span<float>,
                            std::span<const float>, std::span<float>, std::span<float>);
template void update<double>(const OptimizerOptions&, double, std::int64_t, std::span<double>,
                             std::span<const double>, std::span<double>, std::span<double>);

}  // namespace millrace::nn
