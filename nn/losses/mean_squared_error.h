#pragma once
// keras.losses.MeanSquaredError: the mean over outputs of e^2, with e = x - y.

#include <millrace/nn/losses/mean_error.h>

namespace millrace::nn {

struct MeanSquaredError : MeanError<MeanSquaredError> {
  static constexpr LossInfo kInfo =
      mean_error_info("mean squared error", "mean_squared_error", "mean_squared_loss");

  MILLRACE_HOST_DEVICE static double value(double e) { return e * e; }
  MILLRACE_HOST_DEVICE static double slope(double e) { return 2 * e; }
};

}  // namespace millrace::nn
