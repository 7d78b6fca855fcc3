#pragma once
// torch.optim.SGD, with and without momentum.

#include <millrace/nn/optimizers/rule.h>

namespace millrace::nn {

/// The momentum starts at zero, so the first step makes it the gradient, as PyTorch does, which
/// dampens from the second step on. The rate multiplies it when it is used: a schedule acts at
/// once.
struct SgdWithMomentum {
  static bool is_dampened(const UpdateOptions& options) {
    return options.momentum > 0 && !options.nesterov;
  }
  static constexpr RuleOptions kOwn{
      {{.name = "dampening",
        .usual = 0,
        .range = from_up_to(0, 1),
        .help = "share of each gradient, but the first, that the momentum leaves out",
        .needs = "a momentum above 0 that is not Nesterov's",
        .has_effect = is_dampened}}};
  static constexpr int kDampening = place_of(kOwn, "dampening");

  using Rule = SgdWithMomentum;
  static constexpr int kStates = 1;
  template <class Real>
  struct Fixed {
    Real decay, momentum;
    Real own, past;  ///< of the gradient and of the buffer in what is subtracted
  };
  template <class Real>
  struct Step {
    Real rate;
    Real share;  ///< of the gradient in the buffer
  };

  MILLRACE_HOST_DEVICE static Fixed<double> fixed(const UpdateOptions& options) {
    return {.decay = options.weight_decay,
            .momentum = options.momentum,
            .own = options.nesterov ? 1.0 : 0.0,
            .past = options.nesterov ? options.momentum : 1.0};
  }
  MILLRACE_HOST_DEVICE static Step<double> step(const UpdateOptions& options, double rate,
                                                double t) {
    return {.rate = rate, .share = t == 1 ? 1.0 : 1 - options.own[kDampening]};
  }

  template <class Math, class Real>
  MILLRACE_HOST_DEVICE static void apply(const Fixed<Real>& c, const Step<Real>& now, Real gradient,
                                         Real& weight, Real& buffer) {
    const Real g = Math::multiply_add(c.decay, weight, gradient);
    // No product where there need be none: a compiler might fuse it and round the other one.
    const Real taken = now.share == 1 ? g : now.share * g;
    buffer = Math::multiply_add(c.momentum, buffer, taken);
    const Real step = Math::multiply_add(c.past, buffer, c.own * g);
    weight = Math::multiply_add(-now.rate, step, weight);
  }
};

struct Sgd : RateSteps {
  static constexpr OptimizerInfo kInfo{.name = "sgd",
                                       .learning_rate = 0.01,
                                       .has_momentum = true,
                                       .has_nesterov = true,
                                       .own = SgdWithMomentum::kOwn};
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
