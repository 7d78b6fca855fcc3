#pragma once
// Charges the memory of a model to the budget of the pipeline that trains it or evaluates with it.

#include <millrace/nn/engine.h>
#include <millrace/pipeline/pipeline.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace millrace {

/// Charges the parts of a compiled model (nn::Executor::memory) to the pipeline's budget. Does
/// nothing if the engine has its own memory, which no pipeline's budget counts.
void charge_model(Pipeline& pipeline, const nn::Engine& engine,
                  const std::vector<nn::MemoryLine>& lines);

/// An executor that is ready to train (nn/make_executor.h) and charged to the pipeline's budget
/// before it takes its memory: throws BudgetError where it does not fit beside what was charged so
/// far.
///
///   auto executor = make_executor(p, *engine, model, {.batch = 32}, seed);
///   auto steps = p.then(inputs, {.name = "train", .on = On::engine}, TrainStep(executor));
[[nodiscard]] std::shared_ptr<nn::Executor> make_executor(Pipeline& pipeline,
                                                          const nn::Engine& engine,
                                                          const nn::Model& model,
                                                          const nn::CompileOptions& options = {},
                                                          std::uint64_t seed = 0);

}  // namespace millrace
