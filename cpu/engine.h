#pragma once
// The engine that trains on the processor, with oneDNN and OpenMP:
//
//   const auto engine = cpu::make_engine({.threads = 2});
//   const auto executor = engine->compile(model, {.batch = 32});
//   executor->allocate();
//   executor->write(nn::Arena::parameters, weights);
//   const nn::StepResult result = executor->train(batch, 1, 0.01);
//
// An executor's results are the same to the bit for the same number of threads and algorithms.

#include <millrace/cpu/engine_options.h>
#include <millrace/nn/engine.h>

#include <memory>

namespace millrace::cpu {

/// Throws UsageError when `threads` is negative. All steps of an executor belong on one thread
/// (another may have compiled it): OpenMP keeps a team of threads for each thread that calls it.
/// Steps take denormal numbers for zero; where all threads work together, OpenMP's other threads of
/// that team do so from then on.
[[nodiscard]] std::unique_ptr<nn::Engine> make_engine(EngineOptions options = {});

/// Runs what of a training step no engine could leave out: its convolutions, products,
/// poolings and normalisations, without the conversions, element-wise work and update around them,
/// on what lies in their memory. Nothing but gradients changes, and those are of no use. For
/// measurements. Throws Error for another engine's executor.
void run_bare_step(nn::Executor& executor, const nn::Batch& batch);

}  // namespace millrace::cpu
