#pragma once
// Binary cross-entropy: the mean over outputs of max(x, 0) - x y + log(1 + exp(-|x|)), whose
// derivative is sigmoid(x) - y.

#include <millrace/nn/losses/loss_row.h>

namespace millrace::nn {

struct SigmoidCrossEntropy {
  static constexpr LossInfo kInfo{
      .name = "sigmoid cross-entropy",
      .kernel = "sigmoid_loss",
      .activation = "sigmoid",
      .classes = [](std::int64_t) { return std::int64_t{2}; },
      .takes_class_numbers = [](std::int64_t outputs) { return outputs == 1; }};

  template <class Math, class Real, class Gradient>
  MILLRACE_HOST_DEVICE static LossRow evaluate(const Real* logits, std::int64_t outputs,
                                               const Target& target, double scale,
                                               const Gradient& gradient) {
    const auto k = static_cast<double>(outputs);
    LossRow row{.loss = 0, .is_right = true};
    for (std::int64_t j = 0; j < outputs; ++j) {
      const auto x = static_cast<double>(logits[j]);
      // One output is that of class 1, so the number of the class is the value.
      const double label = target.values == nullptr ? static_cast<double>(target.number)
                                                    : static_cast<double>(target.values[j]);
      const double y = target.smoothed(label);
      const double small = std::exp(-std::fabs(x));  // never an exponential of a positive number
      row.loss += Math::quotient((x > 0 ? x : 0.0) - x * y + std::log1p(small), k);
      row.is_right = row.is_right && (x > 0) == (label > 0.5);
      if (!gradient) continue;
      const double p = (x >= 0 ? 1.0 : small) / (1 + small);
      gradient(j, Math::quotient(scale * (p - y), k));
    }
    return row;
  }
};

}  // namespace millrace::nn
