#pragma once
// The oracle: every operation as plain loops in float64, as close to its formula as it can be
// written. Slow on purpose; tests compare other engines with it. It can round where a 16-bit
// precision does, so that what such a precision costs is known without a GPU.

#include <millrace/nn/engine.h>

#include <memory>
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

/// A step of fp16 whose gradients are not all finite changes neither weights nor optimizer state,
/// but the loss scale. Running statistics of batch norm are of the forward pass and do change, as
/// in Keras and PyTorch. Executor::gradients() divides by the scale and leaves it as it is.
class ReferenceEngine : public Engine {
 public:
  /// Throws UsageError for tf32, and for a loss scale out of its range.
  explicit ReferenceEngine(const ReferenceOptions& options = {});

  [[nodiscard]] std::string description() const override;
  [[nodiscard]] Buffer host_buffer(Bytes size) const override { return Buffer(size); }
  [[nodiscard]] Buffer device_buffer(Bytes size) const override { return Buffer(size); }
  [[nodiscard]] bool shares_host_memory() const override { return true; }
  [[nodiscard]] Precision precision() const override { return options_.precision; }
  [[nodiscard]] std::unique_ptr<Executor> compile(const Model& model,
                                                  const CompileOptions& options) const override;
  [[nodiscard]] std::unique_ptr<ReferenceExecutor> compile_reference(
      const Model& model, const CompileOptions& options) const;

 private:
  ReferenceOptions options_;
};

}  // namespace millrace::nn
