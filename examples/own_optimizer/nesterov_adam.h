#pragma once
// Adam with Nesterov's momentum, of Dozat, "Incorporating Nesterov momentum into Adam", 2016:
// torch.optim.NAdam with its momentum_decay of 0.004. The factor of the average of gradients grows
// from about beta1 / 2 towards beta1, step by step.

#include <millrace/nn/optimizers/rule.h>

#include <cmath>

struct NesterovAdam {
  static constexpr millrace::nn::OptimizerInfo kInfo{.name = "nesterov_adam",
                                                     .learning_rate = 0.002,
                                                     .beta1 = 0.9,
                                                     .beta2 = 0.999,
                                                     .epsilon = 1e-8};
  using Rule = NesterovAdam;
  static constexpr int kStates = 2;  // the averages of gradients and of their squares

  // Numbers that all weights share: those of all steps, and those of one step.
  template <class Real>
  struct Fixed {
    Real decay, beta1, rest1, beta2, rest2, epsilon;
  };
  template <class Real>
  struct Step {
    Real of_gradient, of_average, root_scale;
  };

  static Fixed<double> fixed(const millrace::nn::UpdateOptions& options) {
    return {.decay = options.weight_decay,
            .beta1 = options.beta1,
            .rest1 = 1 - options.beta1,
            .beta2 = options.beta2,
            .rest2 = 1 - options.beta2,
            .epsilon = options.epsilon};
  }

  static double momentum(double beta1, double t) {
    return beta1 * (1 - 0.5 * std::pow(0.96, 0.004 * t));
  }
  // PyTorch keeps the product of all momenta so far. Here a step is a function of t alone, so that
  // a resumed run needs nothing more; once 1 - product rounds to 1, further factors do not matter.
  static Step<double> step(const millrace::nn::UpdateOptions& options, double rate, double t) {
    double product = 1;
    for (double i = 1; i <= t && product > 1e-20; ++i) product *= momentum(options.beta1, i);
    const double now = momentum(options.beta1, t), next = momentum(options.beta1, t + 1);
    return {.of_gradient = rate * (1 - now) / (1 - product),
            .of_average = rate * next / (1 - product * next),
            .root_scale = 1 / std::sqrt(1 - std::pow(options.beta2, t))};
  }

  // For one weight. The reference engine calls it in double, the CPU engine in float.
  template <class Math, class Real>
  static void apply(const Fixed<Real>& c, const Step<Real>& now, Real gradient, Real& weight,
                    Real& average, Real& square) {
    const Real g = Math::multiply_add(c.decay, weight, gradient);
    average = Math::multiply_add(c.beta1, average, c.rest1 * g);
    square = Math::multiply_add(c.beta2, square, c.rest2 * g * g);
    const Real root = Math::multiply_add(now.root_scale, std::sqrt(square), c.epsilon);
    weight -= (now.of_gradient * g + now.of_average * average) / root;
  }
};
