#pragma once
// The engine that trains on the processor, with oneDNN and OpenMP:
//
//   const auto engine = cpu::make_engine({.threads = 2});
//   const auto executor = engine->compile(model, {.batch = 32});
//   executor->allocate();
//   executor->write(nn::Arena::parameters, weights);
//   const nn::StepResult result = executor->train(batch, 1, 0.01);
//
// An executor's results are the same to the bit for the same number of threads. Where other threads
// keep the cores busy, libgomp's threads lose milliseconds spinning at every barrier: start such a
// process with GOMP_SPINCOUNT=20000, which libgomp reads once, as it is loaded.

#include <millrace/nn/engine.h>

#include <memory>

namespace millrace::cpu {

struct EngineOptions {
  int threads = 0;  ///< of OpenMP, in a step; 0: as many as cores that the process may run on
  /// Winograd's algorithm for 3x3 convolutions of stride 1 between 32 channels or more: faster on
  /// most machines, with more scratch and rounding of its own (as far from float64 as the direct
  /// one).
  bool winograd = false;
};

/// Throws UsageError when `threads` is negative. All steps of an executor belong on one thread
/// (another may have compiled it): OpenMP keeps a team of threads for each thread that calls it.
[[nodiscard]] std::unique_ptr<nn::Engine> make_engine(EngineOptions options = {});

}  // namespace millrace::cpu
