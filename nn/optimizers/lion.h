#pragma once
// Lion of Chen et al., "Symbolic discovery of optimization algorithms", 2023: steps of one size, in
// the direction of an average's sign. Its decay shrinks the weight, as adamw's does.

#include <millrace/nn/optimizers/rule.h>

namespace millrace::nn {

struct Lion {
  static constexpr OptimizerInfo kInfo{
      .name = "lion", .learning_rate = 1e-4, .beta1 = 0.9, .beta2 = 0.99};
  using Rule = Lion;
  static constexpr int kStates = 1;
  template <class Real>
  struct Fixed {
    Real beta1, rest1, beta2, rest2;  ///< of the step's average and of the one that is kept
  };
  template <class Real>
  struct Step {
    Real rate;
    Real keep;  ///< of the weight
  };

  MILLRACE_HOST_DEVICE static Fixed<double> fixed(const UpdateOptions& options) {
    return {.beta1 = options.beta1,
            .rest1 = 1 - options.beta1,
            .beta2 = options.beta2,
            .rest2 = 1 - options.beta2};
  }
  MILLRACE_HOST_DEVICE static Step<double> step(const UpdateOptions& options, double rate,
                                                double /*t*/) {
    return {.rate = rate, .keep = 1 - rate * options.weight_decay};
  }

  template <class Math, class Real>
  MILLRACE_HOST_DEVICE static void apply(const Fixed<Real>& c, const Step<Real>& now, Real gradient,
                                         Real& weight, Real& average) {
    const Real mixed = Math::multiply_add(c.beta1, average, c.rest1 * gradient);
    // Of what is not a number the sign is none either.
    const Real sign = mixed > 0 ? Real{1} : mixed < 0 ? Real{-1} : mixed;
    weight = Math::multiply_subtract(now.keep, weight, now.rate * sign);
    average = Math::multiply_add(c.beta2, average, c.rest2 * gradient);
  }
};

}  // namespace millrace::nn
