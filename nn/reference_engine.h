#pragma once
// The oracle: every operation as plain loops in float64, as close to its formula as it can be
// written. Slow on purpose; tests compare other engines with it.

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
};

class ReferenceEngine : public Engine {
 public:
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] Buffer host_buffer(Bytes size) const override { return Buffer(size); }
  [[nodiscard]] Buffer device_buffer(Bytes size) const override { return Buffer(size); }
  [[nodiscard]] bool shares_host_memory() const override { return true; }
  [[nodiscard]] std::unique_ptr<Executor> compile(const Model& model,
                                                  const CompileOptions& options) const override;
  [[nodiscard]] std::unique_ptr<ReferenceExecutor> compile_reference(
      const Model& model, const CompileOptions& options) const;
};

}  // namespace millrace::nn
