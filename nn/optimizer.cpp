#include <millrace/nn/optimizer.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace millrace::nn {
namespace {

constexpr auto kInfos = infos_of(Optimizers{});

/// Calls use.template operator()<T>() with the T whose Rule and constants() these options mean.
template <class Use>
decltype(auto) with_optimizer(const OptimizerOptions& options, Use&& use) {
  return nn::with_optimizer(options.kind, options.momentum, std::forward<Use>(use));
}

template <class Optimizer>
auto step_of(const OptimizerOptions& options, double learning_rate, std::int64_t t) {
  MILLRACE_CHECK(t >= 1, "steps count from 1, not ", t);
  return Optimizer::step(update_options(options), learning_rate, static_cast<double>(t));
}

}  // namespace

std::span<const OptimizerInfo> optimizers() noexcept {
  return kInfos;
}

const OptimizerInfo& optimizer_info(OptimizerKind kind) noexcept {
  return kInfos[static_cast<std::size_t>(kind)];
}

OptimizerKind optimizer_kind(std::string_view name) {
  std::string known;
  for (std::size_t i = 0; i < kInfos.size(); ++i) {
    if (name == kInfos[i].name) return static_cast<OptimizerKind>(i);
    known += concat(i == 0 ? "" : ", ", kInfos[i].name);
  }
  throw UsageError(concat("unknown optimizer '", name, "'; known: ", known));
}

const char* to_string(OptimizerKind kind) noexcept {
  return optimizer_info(kind).name;
}

void validate(const OptimizerOptions& options) {
  const auto require = [](bool condition, const char* option, const char* range, double value) {
    if (!condition) throw UsageError(concat(option, ": expected ", range, ", not ", value));
  };
  const auto is_share = [](double value) { return value >= 0 && value < 1; };
  const double beta1 = options.beta1.value_or(0), beta2 = options.beta2.value_or(0);
  require(options.learning_rate > 0 && std::isfinite(options.learning_rate), "learning_rate",
          "a positive number", options.learning_rate);
  require(is_share(options.momentum), "momentum", "0 <= momentum < 1", options.momentum);
  require(is_share(beta1), "beta1", "0 <= beta1 < 1", beta1);
  require(is_share(beta2), "beta2", "0 <= beta2 < 1", beta2);
  require(options.epsilon >= 0 && std::isfinite(options.epsilon), "epsilon", "0 or more",
          options.epsilon);
  require(options.weight_decay >= 0 && std::isfinite(options.weight_decay), "weight_decay",
          "0 or more", options.weight_decay);
  require(!options.nesterov || options.momentum > 0, "nesterov", "a momentum above 0",
          options.momentum);
  if (options.nesterov && !optimizer_info(options.kind).has_nesterov) {
    throw UsageError(concat("nesterov: ", to_string(options.kind), " has none"));
  }
}

UpdateOptions update_options(const OptimizerOptions& options) noexcept {
  const OptimizerInfo& usual = optimizer_info(options.kind);
  return {.momentum = options.momentum,
          .nesterov = options.nesterov,
          .beta1 = options.beta1.value_or(usual.beta1.value_or(0)),
          .beta2 = options.beta2.value_or(usual.beta2.value_or(0)),
          .epsilon = options.epsilon != 0 ? options.epsilon : usual.epsilon.value_or(0),
          .weight_decay = options.weight_decay};
}

int state_arenas(const OptimizerOptions& options) noexcept {
  return with_optimizer(options, []<class Optimizer>() {
    static_assert(Optimizer::Rule::kStates <= kMostStates);
    return Optimizer::Rule::kStates;
  });
}

UpdateConstants update_constants(const OptimizerOptions& options, double learning_rate,
                                 std::int64_t t) {
  return with_optimizer(options, [&]<class Optimizer>() {
    UpdateConstants constants;
    constants.fixed.set(Optimizer::fixed(update_options(options)));
    constants.step.set(step_of<Optimizer>(options, learning_rate, t));
    return constants;
  });
}

void update(const OptimizerOptions& options, double learning_rate, std::int64_t t,
            std::span<double> weights, std::span<const double> gradients,
            std::span<const std::span<double>> states) {
  with_optimizer(options, [&]<class Optimizer>() {
    using Rule = typename Optimizer::Rule;
    const auto fixed = Optimizer::fixed(update_options(options));
    const auto step = step_of<Optimizer>(options, learning_rate, t);
    MILLRACE_CHECK(gradients.size() == weights.size(), "as many gradients as weights");
    const bool fits = states.size() == Rule::kStates &&
                      std::all_of(states.begin(), states.end(), [&](std::span<double> state) {
                        return state.size() == weights.size();
                      });
    MILLRACE_CHECK(fits, to_string(options.kind), " keeps ", Rule::kStates,
                   " state arenas as long as the weights");
    const auto run = [&]<std::size_t... S>(std::index_sequence<S...>) {
      for (std::size_t i = 0; i < weights.size(); ++i) {
        Rule::template apply<PlainMath, double>(fixed, step, gradients[i], weights[i],
                                                states[S][i]...);
      }
    };
    run(std::make_index_sequence<Rule::kStates>());
  });
}

}  // namespace millrace::nn
