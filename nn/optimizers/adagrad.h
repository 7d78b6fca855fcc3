#pragma once
// torch.optim.Adagrad, whose rate does not decay and whose sums start at 0.

#include <millrace/nn/optimizers/rule.h>

namespace millrace::nn {

struct Adagrad : RateSteps {
  static constexpr OptimizerInfo kInfo{.name = "adagrad", .learning_rate = 0.01, .epsilon = 1e-10};
  using Rule = Adagrad;
  static constexpr int kStates = 1;
  template <class Real>
  struct Fixed {
    Real decay, epsilon;
  };

  MILLRACE_HOST_DEVICE static Fixed<double> fixed(const UpdateOptions& options) {
    return {.decay = options.weight_decay, .epsilon = options.epsilon};
  }

  template <class Math, class Real>
  MILLRACE_HOST_DEVICE static void apply(const Fixed<Real>& c, const Step<Real>& now, Real gradient,
                                         Real& weight, Real& squares) {
    const Real g = Math::multiply_add(c.decay, weight, gradient);
    squares = Math::multiply_add(g, g, squares);
    weight = Math::multiply_add(-now.rate, g / (std::sqrt(squares) + c.epsilon), weight);
  }
};

}  // namespace millrace::nn
