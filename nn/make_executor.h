#pragma once
// An executor that is ready to train, in one call.

#include <millrace/nn/engine.h>

#include <cstdint>
#include <memory>

namespace millrace::nn {

/// The model compiled by the engine, allocated, and with the first weights of the seed
/// (initialize.h). Its memory is in no pipeline's budget: see nodes/charge_model.h for that. Throws
/// as Engine::compile() and Executor::allocate() do.
[[nodiscard]] std::unique_ptr<Executor> make_executor(const Engine& engine, const Model& model,
                                                      const CompileOptions& options = {},
                                                      std::uint64_t seed = 0);

/// The part of it after compile(): allocates the executor and writes the first weights of the
/// seed.
void allocate_initialised(Executor& executor, std::uint64_t seed);

}  // namespace millrace::nn
