#pragma once
// Losses that are the mean over outputs of a function of the error e = x - y. Labels are float32
// [N][K]; there are no right answers to count. Such a loss derives from this and has
//   MILLRACE_HOST_DEVICE static double value(double e)
//   MILLRACE_HOST_DEVICE static double slope(double e)

#include <millrace/nn/losses/loss_row.h>

namespace millrace::nn {

/// What is known of all of them.
[[nodiscard]] constexpr LossInfo mean_error_info(const char* name, const char* option,
                                                 const char* kernel) {
  return {.name = name,
          .option = option,
          .kernel = kernel,
          .activation = nullptr,
          .classes = [](std::int64_t) { return std::int64_t{0}; },
          .takes_class_numbers = [](std::int64_t) { return false; },
          .weighs_outputs = true};
}

template <class Loss>
struct MeanError {
  template <class Math, class Real, class Gradient>
  MILLRACE_HOST_DEVICE static LossRow evaluate(const Real* x, std::int64_t outputs,
                                               const Target& target, double scale,
                                               const Gradient& gradient) {
    const auto k = static_cast<double>(outputs);
    LossRow row;
    for (std::int64_t j = 0; j < outputs; ++j) {
      const double weight = target.weight(j);
      if (weight == 0) {  // whatever the label is, not a number among it
        if (gradient) gradient(j, 0);
        continue;
      }
      const double e = static_cast<double>(x[j]) - static_cast<double>(target.values[j]);
      row.loss += Math::quotient(weight * Loss::value(e), k);
      if (gradient) gradient(j, Math::quotient(scale * weight * Loss::slope(e), k));
    }
    return row;
  }
};

}  // namespace millrace::nn
