#include <millrace/nn/optimizer.h>

#include <millrace/core/error.h>
#include <millrace/nn/optimizers/registry.h>
#include <millrace/nn/registry.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <type_traits>

namespace millrace::nn {
namespace {

template <class... All>
std::deque<OptimizerEntry> entries_of(TypeList<All...> /*list*/) {
  return {OptimizerEntry::of<All>()...};
}

Registry<OptimizerEntry>& registry() {
  static Registry<OptimizerEntry> all("optimizer", entries_of(Optimizers{}));
  return all;
}

const OptimizerEntry& entry_of(OptimizerKind kind) {
  return registry().at(static_cast<std::size_t>(kind));
}

double counted(std::int64_t t) {
  MILLRACE_CHECK(t >= 1, "steps count from 1, not ", t);
  return static_cast<double>(t);
}

/// Of the options that a kind has of its own.
void check_own(const OptimizerOptions& options) {
  const OptimizerInfo& info = optimizer_info(options.kind);
  const UpdateOptions all = update_options(options);
  for (const auto& [name, value] : options.own) {
    const auto is_called = [&name = name](const RuleOption& option) { return option.name == name; };
    const auto* const found = std::find_if(info.own.begin(), info.own.end(), is_called);
    if (found == info.own.end()) throw UsageError(concat(name, ": ", info.name, " has none"));
    if (!found->range.contains(value)) {
      throw UsageError(concat(name, ": expected ", found->range.text(), ", not ", value));
    }
    const bool has_effect = found->has_effect == nullptr || found->has_effect(all);
    if (!has_effect && value != found->usual) {
      throw UsageError(concat(name, ": needs ", found->needs));
    }
  }
}

/// What step t makes of zeros: the weight and the states.
template <class Real>
std::array<Real, 1 + kMostStates> of_zeros(const OptimizerOptions& options, std::int64_t t) {
  std::array<Real, 1 + kMostStates> values{};
  std::array<std::span<Real>, kMostStates> arenas;
  for (std::size_t i = 0; i < arenas.size(); ++i) arenas[i] = {&values[1 + i], 1};
  const std::span<Real> weight(values.data(), 1);
  const Real zero = 0;
  const std::span<const Real> gradient(&zero, 1);
  const auto states = std::span(arenas).first(static_cast<std::size_t>(state_arenas(options)));
  if constexpr (std::is_same_v<Real, float>) {
    update_floats(options, update_constants(options, learning_rate(options), t), weight, gradient,
                  states);
  } else {
    update(options, learning_rate(options), t, weight, gradient, states);
  }
  return values;
}

/// Gaps of arenas are updated with all else. The library's rules are known to leave them 0.
template <class Real>
void check_zeros(const OptimizerOptions& options) {
  if (is_of_library(options.kind)) return;
  for (const std::int64_t t : {1, 2, 1000}) {
    const auto values = of_zeros<Real>(options, t);
    if (std::ranges::count(values, Real{0}) == static_cast<std::ptrdiff_t>(values.size())) continue;
    throw UsageError(concat("optimizer '", to_string(options.kind),
                            "': of a weight, a gradient and states that are 0 it must make zeros, "
                            "as gaps between parameters are updated too; at step ",
                            t, " the weight is ", values[0], ", the states are ", values[1],
                            " and ", values[2]));
  }
}

}  // namespace

OptimizerKind register_optimizer(const OptimizerEntry& entry) {
  return static_cast<OptimizerKind>(registry().add(entry));
}

std::vector<OptimizerInfo> optimizers() {
  std::vector<OptimizerInfo> infos;
  for (std::size_t i = 0; i < registry().size(); ++i) infos.push_back(registry().at(i).info);
  return infos;
}

const OptimizerInfo& optimizer_info(OptimizerKind kind) {
  return entry_of(kind).info;
}

OptimizerKind optimizer_kind(std::string_view name) {
  return static_cast<OptimizerKind>(registry().find(name));
}

const char* to_string(OptimizerKind kind) {
  return optimizer_info(kind).name;
}

double learning_rate(const OptimizerOptions& options) {
  return options.learning_rate.value_or(optimizer_info(options.kind).learning_rate);
}

void validate(const OptimizerOptions& options) {
  const auto require = [](bool condition, const char* option, const char* range, double value) {
    if (!condition) throw UsageError(concat(option, ": expected ", range, ", not ", value));
  };
  const auto is_share = [](double value) { return value >= 0 && value < 1; };
  const double beta1 = options.beta1.value_or(0), beta2 = options.beta2.value_or(0);
  const double rate = learning_rate(options);
  require(rate > 0 && std::isfinite(rate), "learning_rate", "a positive number", rate);
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
  check_own(options);
  check_zeros<double>(options);
  check_zeros<float>(options);
}

UpdateOptions update_options(const OptimizerOptions& options) {
  const OptimizerInfo& usual = optimizer_info(options.kind);
  UpdateOptions all{.momentum = options.momentum,
                    .nesterov = options.nesterov,
                    .beta1 = options.beta1.value_or(usual.beta1.value_or(0)),
                    .beta2 = options.beta2.value_or(usual.beta2.value_or(0)),
                    .epsilon = options.epsilon != 0 ? options.epsilon : usual.epsilon.value_or(0),
                    .weight_decay = options.weight_decay};
  double* value = all.own;
  for (const RuleOption& option : usual.own) {
    const auto given = options.own.find(std::string_view(option.name));
    *value++ = given != options.own.end() ? given->second : option.usual;
  }
  return all;
}

int state_arenas(const OptimizerOptions& options) {
  return entry_of(options.kind).states(update_options(options));
}

UpdateConstants update_constants(const OptimizerOptions& options, double learning_rate,
                                 std::int64_t t) {
  return entry_of(options.kind).constants(update_options(options), learning_rate, counted(t));
}

void update(const OptimizerOptions& options, double learning_rate, std::int64_t t,
            std::span<double> weights, std::span<const double> gradients,
            std::span<const std::span<double>> states) {
  const auto kept = static_cast<std::size_t>(state_arenas(options));
  MILLRACE_CHECK(gradients.size() == weights.size(), "as many gradients as weights");
  const bool fits = states.size() == kept &&
                    std::all_of(states.begin(), states.end(),
                                [&](const auto& state) { return state.size() == weights.size(); });
  MILLRACE_CHECK(fits, to_string(options.kind), " keeps ", kept,
                 " state arenas as long as the weights");
  entry_of(options.kind)
      .of_doubles(update_options(options), learning_rate, counted(t), weights, gradients, states);
}

void update_floats(const OptimizerOptions& options, const UpdateConstants& constants,
                   std::span<float> weights, std::span<const float> gradients,
                   std::span<const std::span<float>> states) {
  entry_of(options.kind).of_floats(update_options(options), constants, weights, gradients, states);
}

}  // namespace millrace::nn
