#pragma once
// A model compiled for a device; see engine.h for how to get one.

#include <millrace/gpu/context.h>
#include <millrace/nn/engine.h>

#include <memory>

namespace millrace::gpu {

/// Throws Error where the device cannot do an operation, and UsageError for options out of range.
[[nodiscard]] std::unique_ptr<nn::Executor> make_executor(const nn::Model& model,
                                                          const nn::CompileOptions& options,
                                                          std::shared_ptr<Context> context);

}  // namespace millrace::gpu
