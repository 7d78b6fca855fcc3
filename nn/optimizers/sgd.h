#pragma once
// torch.optim.SGD without dampening, with and without momentum.

#include <millrace/nn/optimizers/rule.h>

namespace millrace::nn {

/// The momentum starts at zero, so the first step makes it the gradient, as PyTorch does. The rate
/// multiplies it when it is used: a schedule acts at once.
struct SgdWithMomentum : StepOfRate {
  using Rule = SgdWithMomentum;
  static constexpr int kStates = 1;
  template <class Real>
  struct Fixed {
    Real decay, momentum;
    Real own, past;  ///< of the gradient and of the buffer in what is subtracted
  };

  MILLRACE_HOST_DEVICE static Fixed<double> fixed(const UpdateOptions& options) {
    return {.decay = options.weight_decay,
            .momentum = options.momentum,
            .own = options.nesterov ? 1.0 : 0.0,
            .past = options.nesterov ? options.momentum : 1.0};
  }

  template <class Math, class Real>
  MILLRACE_HOST_DEVICE static void apply(const Fixed<Real>& c, const Step<Real>& now, Real gradient,
                                         Real& weight, Real& buffer) {
    const Real g = Math::multiply_add(c.decay, weight, gradient);
    buffer = Math::multiply_add(c.momentum, buffer, g);
    const Real step = Math::multiply_add(c.past, buffer, c.own * g);
    weight = Math::multiply_add(-now.rate, step, weight);
  }
};

struct Sgd : StepOfRate {
  static constexpr OptimizerInfo kInfo{
      .name = "sgd", .learning_rate = 0.01, .has_momentum = true, .has_nesterov = true};
  using Rule = Sgd;
  using WithMomentum = SgdWithMomentum;
  static constexpr int kStates = 0;
  template <class Real>
  struct Fixed {
    Real decay;
  };

  MILLRACE_HOST_DEVICE static Fixed<double> fixed(const UpdateOptions& options) {
    return {options.weight_decay};
  }

  template <class Math, class Real>
  MILLRACE_HOST_DEVICE static void apply(const Fixed<Real>& c, const Step<Real>& now, Real gradient,
                                         Real& weight) {
    const Real g = Math::multiply_add(c.decay, weight, gradient);
    weight = Math::multiply_add(-now.rate, g, weight);
  }
};

}  // namespace millrace::nn
