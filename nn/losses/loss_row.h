#pragma once
// The interface of losses, one file each, for host and device. A loss is a struct with
//   static constexpr LossInfo kInfo
//   template <class Math, class Real, class Gradient>
//   MILLRACE_HOST_DEVICE static LossRow evaluate(const Real* x, std::int64_t outputs,
//                                                const Target& target, double scale,
//                                                const Gradient& gradient)
// and a line in losses.h, or, outside the library, a call of register_loss() (registry.h), and none
// of MILLRACE_HOST_DEVICE. evaluate() gets a row of logits and writes `scale` times the
// derivative by each of them with gradient(j, value), unless `gradient` is false. The engines on
// the CPU call it in double, and so does the CUDA kernel.

#include <millrace/core/host_device.h>

#include <cmath>
#include <cstdint>

namespace millrace::nn {

/// What is known of a loss beside its formula.
struct LossInfo {
  const char* name;
  const char* option;      ///< what the command line calls it, files, and Keras
  const char* kernel;      ///< what a profiler calls it
  const char* activation;  ///< the kind of layer at a model's end that belongs to it; null: none
  /// The number of classes for this many outputs; 0: labels are numbers, not classes.
  std::int64_t (*classes)(std::int64_t outputs);
  /// Whether a label may be the number of a class, too.
  bool (*takes_class_numbers)(std::int64_t outputs);
  /// Whether it is a mean over outputs, each of which may have a weight of its own.
  bool weighs_outputs = false;
};

/// The first of the largest.
template <class Real>
MILLRACE_HOST_DEVICE std::int64_t first_maximum(const Real* x, std::int64_t count) {
  std::int64_t best = 0;
  for (std::int64_t j = 1; j < count; ++j) {
    if (x[best] < x[j]) best = j;
  }
  return best;
}

/// Label smoothing makes y keep * y + lift.
struct Smoothing {
  double keep = 1, lift = 0;
};

/// What a row is compared with: the number of a class, or a value an output.
struct Target {
  const float* values = nullptr;  ///< [outputs], or null
  std::int64_t number = 0;        ///< of the class where there are no values
  Smoothing smoothing{};
  const float* weights = nullptr;  ///< [outputs], or null: all 1; of LossInfo::weighs_outputs

  /// What the label says of output j, where it says how much of each class there is.
  [[nodiscard]] MILLRACE_HOST_DEVICE double raw(std::int64_t j) const {
    if (values == nullptr) return number == j ? 1.0 : 0.0;
    return static_cast<double>(values[j]);
  }
  /// Of output j. Where it is 0, nothing is asked of the output, and its label is not read.
  [[nodiscard]] MILLRACE_HOST_DEVICE double weight(std::int64_t j) const {
    return weights == nullptr ? 1.0 : static_cast<double>(weights[j]);
  }
  [[nodiscard]] MILLRACE_HOST_DEVICE double smoothed(double y) const {
    return y * smoothing.keep + smoothing.lift;
  }
};

struct LossRow {
  double loss = 0;
  bool is_right = false;
};

/// Everything in double.
struct ExactMath {
  /// exp(x - highest)
  template <class Real>
  static double exponential(Real x, Real highest) {
    return std::exp(static_cast<double>(x) - static_cast<double>(highest));
  }
  static double quotient(double a, double b) { return a / b; }
};

/// For a GPU, which makes double exponentials and quotients slowly: exponentials are float32, by
/// which 1e-7 of a probability is lost, and a loop over quotients divides once.
struct FastMath {
  MILLRACE_HOST_DEVICE static double exponential(float x, float highest) {
    return static_cast<double>(std::exp(x - highest));
  }
  MILLRACE_HOST_DEVICE static double quotient(double a, double b) { return a * (1 / b); }
};

}  // namespace millrace::nn
