#pragma once
// Binary cross-entropy: the mean over outputs of max(x, 0) - x y + log(1 + exp(-|x|)), whose
// derivative is sigmoid(x) - y. And what losses of sigmoids have in common.

#include <millrace/nn/losses/loss_row.h>

namespace millrace::nn {

/// A logit, and the sigmoid of it.
struct SigmoidLogit {
  double x, small;  ///< exp(-|x|): never an exponential of a positive number

  MILLRACE_HOST_DEVICE explicit SigmoidLogit(double logit)
      : x(logit), small(std::exp(-std::fabs(logit))) {}
  [[nodiscard]] MILLRACE_HOST_DEVICE double share() const {
    return (x >= 0 ? 1.0 : small) / (1 + small);
  }
  [[nodiscard]] MILLRACE_HOST_DEVICE double rest() const {  ///< 1 - share()
    return (x >= 0 ? small : 1.0) / (1 + small);
  }
  [[nodiscard]] MILLRACE_HOST_DEVICE double cross_entropy(double y) const {
    return (x > 0 ? x : 0.0) - x * y + std::log1p(small);
  }
};

/// What is known of all losses of sigmoids.
[[nodiscard]] constexpr LossInfo sigmoid_info(const char* name, const char* option,
                                              const char* kernel) {
  return {.name = name,
          .option = option,
          .kernel = kernel,
          .activation = "sigmoid",
          .classes = [](std::int64_t) { return std::int64_t{2}; },
          .takes_class_numbers = [](std::int64_t outputs) { return outputs == 1; },
          .weighs_outputs = true};
}

/// The mean over outputs of Loss::value(logit, y), whose derivative by the logit is slope().
template <class Loss>
struct SigmoidLoss {
  template <class Math, class Real, class Gradient>
  MILLRACE_HOST_DEVICE static LossRow evaluate(const Real* logits, std::int64_t outputs,
                                               const Target& target, double scale,
                                               const Gradient& gradient) {
    const auto k = static_cast<double>(outputs);
    LossRow row{.loss = 0, .is_right = true};
    bool is_asked = false;
    for (std::int64_t j = 0; j < outputs; ++j) {
      const double weight = target.weight(j);
      if (weight == 0) {  // whatever the label is, not a number among it
        if (gradient) gradient(j, 0);
        continue;
      }
      is_asked = true;
      const SigmoidLogit logit(static_cast<double>(logits[j]));
      // One output is that of class 1, so the number of the class is the value.
      const double label = target.values == nullptr ? static_cast<double>(target.number)
                                                    : static_cast<double>(target.values[j]);
      const double y = target.smoothed(label);
      row.loss += Math::quotient(weight * Loss::value(logit, y), k);
      row.is_right = row.is_right && (logit.x > 0) == (label > 0.5);
      if (gradient) gradient(j, Math::quotient(scale * weight * Loss::slope(logit, y), k));
    }
    row.is_right = row.is_right && is_asked;
    return row;
  }
};

struct SigmoidCrossEntropy : SigmoidLoss<SigmoidCrossEntropy> {
  static constexpr LossInfo kInfo =
      sigmoid_info("sigmoid cross-entropy", "binary_crossentropy", "sigmoid_loss");

  MILLRACE_HOST_DEVICE static double value(const SigmoidLogit& logit, double y) {
    return logit.cross_entropy(y);
  }
  MILLRACE_HOST_DEVICE static double slope(const SigmoidLogit& logit, double y) {
    return logit.share() - y;
  }
};

}  // namespace millrace::nn
