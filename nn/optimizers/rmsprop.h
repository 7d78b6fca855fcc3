#pragma once
// torch.optim.RMSprop, not centred: its alpha is beta2 here, and epsilon is outside the root.

#include <millrace/nn/optimizers/rule.h>

namespace millrace::nn {

/// What both rules begin with.
struct RmspropBase : RateSteps {
  template <class Real>
  struct Fixed {
    Real decay, momentum, alpha, rest, epsilon;
  };

  MILLRACE_HOST_DEVICE static Fixed<double> fixed(const UpdateOptions& options) {
    return {.decay = options.weight_decay,
            .momentum = options.momentum,
            .alpha = options.beta2,
            .rest = 1 - options.beta2,
            .epsilon = options.epsilon};
  }

  /// The gradient over the root of its average square.
  template <class Math, class Real>
  MILLRACE_HOST_DEVICE static Real scaled(const Fixed<Real>& c, Real gradient, Real weight,
                                          Real& square) {
    const Real g = Math::multiply_add(c.decay, weight, gradient);
    square = Math::multiply_add(c.alpha, square, c.rest * g * g);
    return g / (std::sqrt(square) + c.epsilon);
  }
};

struct RmspropWithMomentum : RmspropBase {
  using Rule = RmspropWithMomentum;
  static constexpr int kStates = 2;

  template <class Math, class Real>
  MILLRACE_HOST_DEVICE static void apply(const Fixed<Real>& c, const Step<Real>& now, Real gradient,
                                         Real& weight, Real& square, Real& buffer) {
    buffer =
        Math::multiply_add(c.momentum, buffer, scaled<Math, Real>(c, gradient, weight, square));
    weight = Math::multiply_add(-now.rate, buffer, weight);
  }
};

struct Rmsprop : RmspropBase {
  static constexpr OptimizerInfo kInfo{.name = "rmsprop",
                                       .learning_rate = 0.01,
                                       .beta2 = 0.99,
                                       .epsilon = 1e-8,
                                       .has_momentum = true};
  using Rule = Rmsprop;
  using WithMomentum = RmspropWithMomentum;
  static constexpr int kStates = 1;

  template <class Math, class Real>
  MILLRACE_HOST_DEVICE static void apply(const Fixed<Real>& c, const Step<Real>& now, Real gradient,
                                         Real& weight, Real& square) {
    weight = Math::multiply_add(-now.rate, scaled<Math, Real>(c, gradient, weight, square), weight);
  }
};

}  // namespace millrace::nn
