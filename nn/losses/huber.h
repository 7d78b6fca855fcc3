#pragma once
// keras.losses.Huber with a delta of 1: the mean over outputs of e^2 / 2 where |e| <= 1, else
// |e| - 1/2, with e = x - y.

#include <millrace/nn/losses/mean_error.h>

namespace millrace::nn {

struct Huber : MeanError<Huber> {
  static constexpr LossInfo kInfo = mean_error_info("Huber", "huber", "huber_loss");

  MILLRACE_HOST_DEVICE static double value(double e) {
    return std::fabs(e) > 1 ? std::fabs(e) - 0.5 : 0.5 * e * e;
  }
  MILLRACE_HOST_DEVICE static double slope(double e) {
    return std::fabs(e) > 1 ? std::copysign(1.0, e) : e;
  }
};

}  // namespace millrace::nn
