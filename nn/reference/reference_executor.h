#pragma once
// What the reference engine compiles to, and how it is to compute.

#include <millrace/nn/engine.h>

#include <span>

namespace millrace::nn {

/// An Executor whose arenas can be seen in full precision.
class ReferenceExecutor : public Executor {
 public:
  /// Parameters in float64, in the layout of Executor::read; writable, for finite differences.
  [[nodiscard]] virtual std::span<double> parameters() = 0;
  [[nodiscard]] virtual std::span<const double> gradient() const = 0;
  /// Of the samples of the last evaluate() or predict(), [samples][K].
  [[nodiscard]] virtual std::span<const double> outputs() const = 0;
};

struct ReferenceOptions {
  /// fp32 rounds nothing: all is float64. fp16 and bf16 round to 16 bits at the places that
  /// precision.h names, each value through float32, as a device that adds up in float32 does. What
  /// precision.h keeps in float32, the parameters among it, is float64 here.
  Precision precision = Precision::fp32;
  LossScaleOptions loss_scale{};  ///< of fp16
  /// With fp32: the same loops over float32, sums included: what engines are measured by, which may
  /// be a little further from float64 but not much. Kinds that have no such loops are rounded.
  bool float_loops = false;
};

}  // namespace millrace::nn
