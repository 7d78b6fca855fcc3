#pragma once
// keras.losses.CategoricalFocalCrossentropy with its defaults: sum_j y_j f(p_j) of
// p = softmax(x), where f(p) = -alpha (1 - p)^gamma log p with an alpha of 0.25 and a gamma of 2.
// What is learnt well counts little. Keras keeps p 1e-7 away from 0 and 1; nothing is cut here.

#include <millrace/nn/losses/loss_row.h>

namespace millrace::nn {

struct SoftmaxFocal {
  static constexpr LossInfo kInfo{.name = "softmax focal cross-entropy",
                                  .option = "categorical_focal_crossentropy",
                                  .kernel = "softmax_focal_loss",
                                  .activation = "softmax",
                                  .classes = [](std::int64_t outputs) { return outputs; },
                                  .takes_class_numbers = [](std::int64_t) { return true; }};
  static constexpr double kAlpha = 0.25;

  /// Of the output x: 1 - p, and log p.
  template <class Math, class Real>
  MILLRACE_HOST_DEVICE static double rest(Real x, Real highest, double exponentials) {
    return Math::quotient(exponentials - Math::exponential(x, highest), exponentials);
  }
  template <class Real>
  MILLRACE_HOST_DEVICE static double log_share(Real x, Real highest, double log_sum) {
    return static_cast<double>(x) - static_cast<double>(highest) - log_sum;
  }
  /// p f'(p), from 1 - p and log p.
  MILLRACE_HOST_DEVICE static double pull(double rest, double log_share) {
    const double p = 1 - rest;
    // Where p is 0 its logarithm is still finite: it is that of a sum.
    return kAlpha * rest * (2 * p * log_share - rest);
  }

  template <class Math, class Real, class Gradient>
  MILLRACE_HOST_DEVICE static LossRow evaluate(const Real* x, std::int64_t outputs,
                                               const Target& target, double scale,
                                               const Gradient& gradient) {
    const std::int64_t label =
        target.values == nullptr ? target.number : first_maximum(target.values, outputs);
    const std::int64_t answer = first_maximum(x, outputs);
    const Real highest = x[answer];
    double exponentials = 0;
    for (std::int64_t j = 0; j < outputs; ++j) exponentials += Math::exponential(x[j], highest);
    const double log_sum = std::log(exponentials);
    LossRow row{.loss = 0, .is_right = answer == label};
    double pulls = 0;
    for (std::int64_t j = 0; j < outputs; ++j) {
      const double y = target.smoothed(target.raw(j));
      if (y == 0) continue;
      const double r = rest<Math>(x[j], highest, exponentials);
      const double log_p = log_share(x[j], highest, log_sum);
      row.loss -= y * kAlpha * r * r * log_p;
      pulls += y * pull(r, log_p);
    }
    if (!gradient) return row;
    for (std::int64_t j = 0; j < outputs; ++j) {
      const double y = target.smoothed(target.raw(j));
      const double r = rest<Math>(x[j], highest, exponentials);
      const double own = y == 0 ? 0.0 : y * pull(r, log_share(x[j], highest, log_sum));
      const double p = Math::quotient(Math::exponential(x[j], highest), exponentials);
      gradient(j, scale * (own - p * pulls));
    }
    return row;
  }
};

}  // namespace millrace::nn
