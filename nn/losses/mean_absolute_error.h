#pragma once
// keras.losses.MeanAbsoluteError: the mean over outputs of |e|, with e = x - y. Where e is 0 its
// slope is taken to be 0, as PyTorch does.

#include <millrace/nn/losses/mean_error.h>

namespace millrace::nn {

struct MeanAbsoluteError : MeanError<MeanAbsoluteError> {
  static constexpr LossInfo kInfo =
      mean_error_info("mean absolute error", "mean_absolute_error", "mean_absolute_loss");

  MILLRACE_HOST_DEVICE static double value(double e) { return std::fabs(e); }
  /// That of an error which is not a number is not one either.
  MILLRACE_HOST_DEVICE static double slope(double e) { return e > 0 ? 1.0 : e < 0 ? -1.0 : e; }
};

}  // namespace millrace::nn
