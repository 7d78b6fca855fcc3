#pragma once
// adam and adamw are those of torch.optim; keras_adam is keras.optimizers.Adam, with epsilon
// outside the uncorrected root. They follow the same averages and differ in their constants.

#include <millrace/nn/optimizers/rule.h>

namespace millrace::nn {

struct AdamRule {
  static constexpr int kStates = 2;
  template <class Real>
  struct Fixed {
    Real decay;
    Real beta1, rest1, beta2, rest2;  ///< of the averages, and of what comes to them
    Real epsilon;
  };
  template <class Real>
  struct Step {
    Real rate, root_scale;
    Real keep;  ///< of the weight
  };

  MILLRACE_HOST_DEVICE static Fixed<double> fixed(const UpdateOptions& options) {
    return {.decay = options.weight_decay,
            .beta1 = options.beta1,
            .rest1 = 1 - options.beta1,
            .beta2 = options.beta2,
            .rest2 = 1 - options.beta2,
            .epsilon = options.epsilon};
  }
  /// What the averages' start at zero makes too small: the first, and the root of the second.
  MILLRACE_HOST_DEVICE static double share(const UpdateOptions& options, double t) {
    return 1 - std::pow(options.beta1, t);
  }
  MILLRACE_HOST_DEVICE static double root_share(const UpdateOptions& options, double t) {
    return std::sqrt(1 - std::pow(options.beta2, t));
  }

  template <class Math, class Real>
  MILLRACE_HOST_DEVICE static void apply(const Fixed<Real>& c, const Step<Real>& now, Real gradient,
                                         Real& weight, Real& first, Real& second) {
    const Real g = Math::multiply_add(c.decay, weight, gradient);
    first = Math::multiply_add(c.beta1, first, c.rest1 * g);
    second = Math::multiply_add(c.beta2, second, c.rest2 * g * g);
    const Real root = Math::multiply_add(now.root_scale, std::sqrt(second), c.epsilon);
    weight = Math::multiply_subtract(now.keep, weight, now.rate * first / root);
  }
};

struct Adam : AdamRule {
  static constexpr OptimizerInfo kInfo{
      .name = "adam", .learning_rate = 0.001, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
  using Rule = AdamRule;

  MILLRACE_HOST_DEVICE static Step<double> step(const UpdateOptions& options, double rate,
                                                double t) {
    return {.rate = rate / share(options, t), .root_scale = 1 / root_share(options, t), .keep = 1};
  }
};

struct KerasAdam : AdamRule {
  static constexpr OptimizerInfo kInfo{
      .name = "keras_adam", .learning_rate = 0.001, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7};
  using Rule = AdamRule;

  MILLRACE_HOST_DEVICE static Step<double> step(const UpdateOptions& options, double rate,
                                                double t) {
    return {.rate = rate * root_share(options, t) / share(options, t), .root_scale = 1, .keep = 1};
  }
};

/// Decay is not part of the gradient: it shrinks the weight.
struct AdamW : AdamRule {
  static constexpr OptimizerInfo kInfo{
      .name = "adamw", .learning_rate = 0.001, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
  using Rule = AdamRule;

  MILLRACE_HOST_DEVICE static Fixed<double> fixed(UpdateOptions options) {
    options.weight_decay = 0;
    return AdamRule::fixed(options);
  }
  MILLRACE_HOST_DEVICE static Step<double> step(const UpdateOptions& options, double rate,
                                                double t) {
    Step<double> now = Adam::step(options, rate, t);
    now.keep = 1 - rate * options.weight_decay;
    return now;
  }
};

}  // namespace millrace::nn
