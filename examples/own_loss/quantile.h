#pragma once
// The quantile loss, also called pinball: it is least for an output above a share q of the targets.
// An output that is too low costs q for each unit, one that is too high 1 - q.

#include <millrace/nn/losses/mean_error.h>

// MeanError makes the mean over outputs of a function of the error e = output - target, with
// weights of outputs. Loss::kShare is q.
template <class Loss>
struct Quantile : millrace::nn::MeanError<Loss> {
  static double value(double e) { return e * slope(e); }
  // The slope of an error that is not a number is not one either.
  static double slope(double e) { return e > 0 ? 1 - Loss::kShare : e < 0 ? -Loss::kShare : e; }
};

// One for each share: files and command lines have only the name of a loss.
struct Quantile90 : Quantile<Quantile90> {
  static constexpr double kShare = 0.9;
  static constexpr millrace::nn::LossInfo kInfo =
      millrace::nn::mean_error_info("quantile loss of 0.9", "quantile_90", "quantile_90_loss");
};

struct Quantile10 : Quantile<Quantile10> {
  static constexpr double kShare = 0.1;
  static constexpr millrace::nn::LossInfo kInfo =
      millrace::nn::mean_error_info("quantile loss of 0.1", "quantile_10", "quantile_10_loss");
};
