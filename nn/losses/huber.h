#pragma once
// keras.losses.Huber with a delta of 1: the mean over outputs of e^2 / 2 where |e| <= 1, else
// |e| - 1/2, with e = x - y. Labels are float32 [N][K]; there are no right answers to count.

#include <millrace/nn/losses/loss_row.h>

namespace millrace::nn {

struct Huber {
  static constexpr LossInfo kInfo{.name = "Huber",
                                  .kernel = "huber_loss",
                                  .activation = nullptr,
                                  .classes = [](std::int64_t) { return std::int64_t{0}; },
                                  .takes_class_numbers = [](std::int64_t) { return false; }};

  template <class Math, class Real, class Gradient>
  MILLRACE_HOST_DEVICE static LossRow evaluate(const Real* x, std::int64_t outputs,
                                               const Target& target, double scale,
                                               const Gradient& gradient) {
    const auto k = static_cast<double>(outputs);
    LossRow row;
    for (std::int64_t j = 0; j < outputs; ++j) {
      const double e = static_cast<double>(x[j]) - static_cast<double>(target.values[j]);
      const bool is_large = std::fabs(e) > 1;
      row.loss += Math::quotient(is_large ? std::fabs(e) - 0.5 : 0.5 * e * e, k);
      if (!gradient) continue;
      gradient(j, Math::quotient(scale * (is_large ? std::copysign(1.0, e) : e), k));
    }
    return row;
  }
};

}  // namespace millrace::nn
