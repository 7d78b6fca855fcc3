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
void plain_sgd(const UpdateConstants& c, std::span<Float> weights,
               std::span<const Float> gradients) {
  const auto rate = static_cast<Float>(c.rate);
  const auto decay = static_cast<Float>(c.decay);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] -= rate * (gradients[i] + decay * weights[i]);
  }
}

template <class Float>
void momentum_sgd(const UpdateConstants& c, std::span<Float> weights,
                  std::span<const Float> gradients, std::span<Float> buffer) {
  const auto rate = static_cast<Float>(c.rate);
  const auto decay = static_cast<Float>(c.decay);
  const auto momentum = static_cast<Float>(c.momentum);
  const auto own = static_cast<Float>(c.own);
  const auto past = static_cast<Float>(c.past);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Float g = gradients[i] + decay * weights[i];
    buffer[i] = momentum * buffer[i] + g;
    weights[i] -= rate * (own * g + past * buffer[i]);
  }
}

template <class Float>
void adam(const UpdateConstants& c, std::span<Float> weights, std::span<const Float> gradients,
          std::span<Float> first, std::span<Float> second) {
  const auto step = static_cast<Float>(c.rate);
  const auto root_scale = static_cast<Float>(c.root_scale);
  const auto keep = static_cast<Float>(c.keep);
  const auto decay = static_cast<Float>(c.decay);
  const auto beta1 = static_cast<Float>(c.beta1);
  const auto beta2 = static_cast<Float>(c.beta2);
  const auto rest1 = static_cast<Float>(c.rest1);
  const auto rest2 = static_cast<Float>(c.rest2);
  const auto epsilon = static_cast<Float>(c.epsilon);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Float g = gradients[i] + decay * weights[i];
    const Float m = beta1 * first[i] + rest1 * g;
    const Float v = beta2 * second[i] + rest2 * g * g;
    first[i] = m;
    second[i] = v;
    weights[i] = keep * weights[i] - step * m / (root_scale * std::sqrt(v) + epsilon);
  }
}

/// What the three kinds of Adam differ in; they follow the same averages.
UpdateConstants adam_constants(const OptimizerOptions& options, double learning_rate,
                               std::int64_t t) {
  const double first = 1 - std::pow(options.beta1, static_cast<double>(t));
  const double second = std::sqrt(1 - std::pow(options.beta2, static_cast<double>(t)));
  const bool is_decoupled = options.kind == OptimizerKind::adamw;
  const bool is_keras = options.kind == OptimizerKind::keras_adam;
  return {.rate = is_keras ? learning_rate * second / first : learning_rate / first,
          .decay = is_decoupled ? 0 : options.weight_decay,
          .beta1 = options.beta1,
          .rest1 = 1 - options.beta1,
          .beta2 = options.beta2,
          .rest2 = 1 - options.beta2,
          .keep = 1 - (is_decoupled ? learning_rate * options.weight_decay : 0),
          .root_scale = is_keras ? 1 : 1 / second,
          .epsilon = epsilon_of(options)};
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

// The momentum starts at zero, so the first step makes it the gradient, as PyTorch does. The rate
// multiplies it when it is used: a schedule acts at once.
UpdateConstants update_constants(const OptimizerOptions& options, double learning_rate,
                                 std::int64_t t) {
  MILLRACE_CHECK(t >= 1, "steps count from 1, not ", t);
  if (options.kind != OptimizerKind::sgd) return adam_constants(options, learning_rate, t);
  return {.rate = learning_rate,
          .decay = options.weight_decay,
          .momentum = options.momentum,
          .own = options.nesterov ? 1.0 : 0.0,
          .past = options.nesterov ? options.momentum : 1.0};
}

template <class Float>
void update(const OptimizerOptions& options, double learning_rate, std::int64_t t,
            std::span<Float> weights, std::span<const Float> gradients, std::span<Float> first,
            std::span<Float> second) {
  const int states = state_arenas(options);
  const UpdateConstants constants = update_constants(options, learning_rate, t);
  MILLRACE_CHECK(gradients.size() == weights.size(), "as many gradients as weights");
  MILLRACE_CHECK(first.size() == (states >= 1 ? weights.size() : 0) &&
                     second.size() == (states >= 2 ? weights.size() : 0),
                 to_string(options.kind), " keeps ", states,
                 " state arenas as long as the weights");
  switch (states) {
    case 0: return plain_sgd<Float>(constants, weights, gradients);
    case 1: return momentum_sgd<Float>(constants, weights, gradients, first);
    default: return adam<Float>(constants, weights, gradients, first, second);
  }
}

template void update<float>(const OptimizerOptions&, double, std::int64_t, std::span<float>,
                            std::span<const float>, std::span<float>, std::span<float>);
template void update<double>(const OptimizerOptions&, double, std::int64_t, std::span<double>,
                             std::span<const double>, std::span<double>, std::span<double>);

}  // namespace millrace::nn
