#pragma once
// Measures the steps of a model on samples in memory, without a pipeline.

#include "apps/bench/bench.h"

#include <millrace/nn/engine.h>

#include <cstdint>
#include <vector>

namespace millrace::apps {

/// One model on one device at one batch size.
struct ComputeMeasured {
  std::int64_t batch = 0;
  int train_steps = 0, evaluate_steps = 0;  ///< of a repeat
  Spread copy_ms, train_ms, evaluate_ms;
  Spread bare_ms;                 ///< with --operations, of the CPU: cpu::run_bare_step
  Spread masked_ms, unmasked_ms;  ///< with --masks: of training steps, in turn
  std::vector<nn::MemoryLine> training_memory, evaluation_memory;
  std::vector<nn::OpTiming> operations;  ///< of training steps, the longest first

  [[nodiscard]] double train_rate() const {
    return 1e3 * static_cast<double>(batch) / train_ms.median;
  }
  [[nodiscard]] double evaluate_rate() const {
    return 1e3 * static_cast<double>(batch) / evaluate_ms.median;
  }
};

/// Repeats copying, training steps and evaluation steps of one batch of random samples. Throws
/// BudgetError before it allocates; Stopped, between two steps.
[[nodiscard]] ComputeMeasured measure_compute(const nn::Model& model, const BenchDevice& device,
                                              const BenchOptions& options, std::int64_t batch,
                                              BenchWatch& watch);

}  // namespace millrace::apps
