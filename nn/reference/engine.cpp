#include <millrace/nn/reference/engine.h>

#include <millrace/core/error.h>
#include <millrace/nn/reference/executor.h>

namespace millrace::nn {

ReferenceEngine::ReferenceEngine(const ReferenceOptions& options) : options_(options) {
  if (options.precision == Precision::tf32) {
    throw UsageError("the reference engine computes in fp32 (float64), fp16 and bf16, not in tf32");
  }
  validate(options.loss_scale);
}

std::string ReferenceEngine::description() const {
  const bool rounds = storage_of(options_.precision) != DType::f32;
  return concat("reference: float64 loops", rounds ? " that round to " : "",
                rounds ? to_string(options_.precision) : "", ", 1 thread");
}

std::unique_ptr<ReferenceExecutor> ReferenceEngine::compile_reference(
    const Model& model, const CompileOptions& options) const {
  validate(model);
  validate(options);
  return std::make_unique<reference::Executor64>(model, options, options_);
}

std::unique_ptr<Executor> ReferenceEngine::compile(const Model& model,
                                                   const CompileOptions& options) const {
  return compile_reference(model, options);
}

}  // namespace millrace::nn
