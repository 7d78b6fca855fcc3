#pragma once
// Update rules from outside the library, written as its own are (rule.h):
//   const nn::OptimizerKind kind = nn::register_optimizer<NesterovAdam>();
//   engine->compile(model, {.optimizer = {.kind = kind}});
// They run on the reference engine and the CPU engine.

#include <millrace/nn/optimizers/optimizers.h>

#include <array>
#include <cstddef>
#include <span>
#include <typeinfo>
#include <utility>

namespace millrace::nn {

/// An optimizer as engines on the CPU call it, whatever its type. Arenas are equally long; states
/// that the rule does not keep are not looked at.
struct OptimizerEntry {
  template <class Real>
  using States = std::span<const std::span<Real>>;

  OptimizerInfo info;
  const std::type_info* type;
  int (*states)(const UpdateOptions& options);
  UpdateConstants (*constants)(const UpdateOptions& options, double rate, double t);
  void (*of_doubles)(const UpdateOptions& options, double rate, double t, std::span<double> weights,
                     std::span<const double> gradients, States<double> states);
  void (*of_floats)(const UpdateOptions& options, const UpdateConstants& constants,
                    std::span<float> weights, std::span<const float> gradients,
                    States<float> states);

  [[nodiscard]] const char* name() const { return info.name; }

  template <class Optimizer>
  static OptimizerEntry of() {
    static_assert(Optimizer::kInfo.name != nullptr, "an optimizer's kInfo has its name");
    return {Optimizer::kInfo,        &typeid(Optimizer),        states_of<Optimizer>,
            constants_of<Optimizer>, update_doubles<Optimizer>, update_floats<Optimizer>};
  }

 private:
  template <class Optimizer>
  static int states_of(const UpdateOptions& options) {
    return with_momentum<Optimizer>(options.momentum, []<class T>() {
      static_assert(T::Rule::kStates >= 0 && T::Rule::kStates <= kMostStates,
                    "engines keep two numbers a weight at most");
      return T::Rule::kStates;
    });
  }

  template <class Optimizer>
  static UpdateConstants constants_of(const UpdateOptions& options, double rate, double t) {
    return with_momentum<Optimizer>(options.momentum, [&]<class T>() {
      UpdateConstants made;
      made.fixed.set(T::fixed(options));
      made.step.set(T::step(options, rate, t));
      return made;
    });
  }

  template <class Optimizer>
  static void update_doubles(const UpdateOptions& options, double rate, double t,
                             std::span<double> weights, std::span<const double> gradients,
                             States<double> states) {
    with_momentum<Optimizer>(options.momentum, [&]<class T>() {
      apply<typename T::Rule, double>(T::fixed(options), T::step(options, rate, t), weights,
                                      gradients, states);
    });
  }

  template <class Optimizer>
  static void update_floats(const UpdateOptions& options, const UpdateConstants& constants,
                            std::span<float> weights, std::span<const float> gradients,
                            States<float> states) {
    with_momentum<Optimizer>(options.momentum, [&]<class T>() {
      using Rule = typename T::Rule;
      apply<Rule, float>(constants.fixed.get<Rule::template Fixed>(),
                         constants.step.get<Rule::template Step>(), weights, gradients, states);
    });
  }

  template <class Rule, class Real>
  static void apply(const typename Rule::template Fixed<Real>& fixed,
                    const typename Rule::template Step<Real>& step, std::span<Real> weights,
                    std::span<const Real> gradients, States<Real> states) {
    const auto run = [&]<std::size_t... S>(std::index_sequence<S...>) {
      for (std::size_t i = 0; i < weights.size(); ++i) {
        Rule::template apply<PlainMath, Real>(fixed, step, gradients[i], weights[i],
                                              states[S][i]...);
      }
    };
    run(std::make_index_sequence<Rule::kStates>());
  }
};

/// See register_optimizer<Optimizer>().
OptimizerKind register_optimizer(const OptimizerEntry& entry);

/// The value that OptimizerOptions::kind takes, the same each time; optimizer_kind() finds it by
/// kInfo.name. An optimizer of the library's is what it was. Throws UsageError if the name is
/// another optimizer's, or has something else in it than letters, digits, '_', '-' and '.'.
/// Thread-safe.
template <class Optimizer>
OptimizerKind register_optimizer() {
  return register_optimizer(OptimizerEntry::of<Optimizer>());
}

}  // namespace millrace::nn
