#pragma once
// -sum_j y_j log softmax(x)_j, with the maximum taken out so that no exponential overflows. Its
// derivative by x_j is (sum y) softmax(x)_j - y_j.

#include <millrace/nn/losses/loss_row.h>

namespace millrace::nn {

struct SoftmaxCrossEntropy {
  static constexpr LossInfo kInfo{.name = "softmax cross-entropy",
                                  .option = "categorical_crossentropy",
                                  .kernel = "softmax_loss",
                                  .activation = "softmax",
                                  .classes = [](std::int64_t outputs) { return outputs; },
                                  .takes_class_numbers = [](std::int64_t) { return true; }};

  template <class Math, class Real, class Gradient>
  MILLRACE_HOST_DEVICE static LossRow evaluate(const Real* x, std::int64_t outputs,
                                               const Target& target, double scale,
                                               const Gradient& gradient) {
    const std::int64_t label =
        target.values == nullptr ? target.number : first_maximum(target.values, outputs);
    const std::int64_t answer = first_maximum(x, outputs);
    const Real highest = x[answer];
    double exponentials = 0, mass = 0;
    for (std::int64_t j = 0; j < outputs; ++j) {
      exponentials += Math::exponential(x[j], highest);
      mass += target.smoothed(target.raw(j));
    }
    const double log_sum = std::log(exponentials);
    LossRow row{.loss = 0, .is_right = answer == label};
    for (std::int64_t j = 0; j < outputs; ++j) {
      const double y = target.smoothed(target.raw(j));
      if (y != 0) {
        row.loss += y * (log_sum - (static_cast<double>(x[j]) - static_cast<double>(highest)));
      }
      if (!gradient) continue;
      const double p = Math::quotient(Math::exponential(x[j], highest), exponentials);
      gradient(j, scale * (mass * p - y));
    }
    return row;
  }
};

}  // namespace millrace::nn
