#pragma once
// The reference for tests of other engines: every operation as plain loops in float64, as close to
// its formula as possible, and slow for that. It can round where a 16-bit
// precision does, so that the effect of such a precision is known without a GPU.

#include <millrace/nn/reference/reference_executor.h>

#include <memory>
#include <string>

namespace millrace::nn {

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
