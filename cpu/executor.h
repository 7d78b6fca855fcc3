#pragma once
// A model compiled for the processor; see engine.h for how to get one.

#include <millrace/cpu/engine.h>

#include <memory>

namespace millrace::cpu {

/// `engine.threads` is positive here; `timings` are those of the engine, null unless it times.
/// Throws Error where oneDNN cannot do an operation, and for options that fit no model.
[[nodiscard]] std::unique_ptr<nn::Executor> make_executor(const nn::Model& model,
                                                          const nn::CompileOptions& options,
                                                          const EngineOptions& engine,
                                                          std::shared_ptr<Timings> timings);

}  // namespace millrace::cpu
