#pragma once
// The device memory that training would take, computed without a device.

#include <millrace/gpu/engine_options.h>
#include <millrace/gpu/plans.h>
#include <millrace/nn/engine.h>

#include <vector>

namespace millrace::gpu {

/// The lines of Executor::memory(). Convolutions and products count with all the workspace that
/// they may have, so the real sum is at most this. Throws as compile() does.
[[nodiscard]] std::vector<nn::MemoryLine> plan_memory(const nn::Model& model,
                                                      const nn::CompileOptions& options,
                                                      nn::Precision precision,
                                                      Bytes workspace = EngineOptions{}.workspace);
/// The same with other plans, which are asked for each operation of the model's programs.
[[nodiscard]] std::vector<nn::MemoryLine> plan_memory(const nn::Model& model,
                                                      const nn::CompileOptions& options,
                                                      nn::Precision precision, Plans& plans);

}  // namespace millrace::gpu
