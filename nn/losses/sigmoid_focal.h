#pragma once
// keras.losses.BinaryFocalCrossentropy(apply_class_balancing=True) with its alpha of 0.25 and gamma
// of 2: the mean over outputs of w q^2 b. There b is the binary cross-entropy of p = sigmoid(x) and
// y, q = y (1 - p) + (1 - y) p how far the answer is off, and w = alpha y + (1 - alpha) (1 - y).

#include <millrace/nn/losses/sigmoid_cross_entropy.h>

namespace millrace::nn {

struct SigmoidFocal : SigmoidLoss<SigmoidFocal> {
  static constexpr LossInfo kInfo = sigmoid_info("sigmoid focal cross-entropy",
                                                 "binary_focal_crossentropy", "sigmoid_focal_loss");
  static constexpr double kAlpha = 0.25;

  MILLRACE_HOST_DEVICE static double off(const SigmoidLogit& s, double y) {
    return y * s.rest() + (1 - y) * s.share();
  }
  MILLRACE_HOST_DEVICE static double balance(double y) {
    return kAlpha * y + (1 - kAlpha) * (1 - y);
  }
  MILLRACE_HOST_DEVICE static double value(const SigmoidLogit& s, double y) {
    const double q = off(s, y);
    return balance(y) * q * q * s.cross_entropy(y);
  }
  MILLRACE_HOST_DEVICE static double slope(const SigmoidLogit& s, double y) {
    const double q = off(s, y), p = s.share();
    const double of_q = 2 * p * s.rest() * (1 - 2 * y) * s.cross_entropy(y);
    return balance(y) * q * (of_q + q * (p - y));
  }
};

}  // namespace millrace::nn
