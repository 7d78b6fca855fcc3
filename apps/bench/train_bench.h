#pragma once
// Measures epochs of the training pipeline, and on the CPU their parts.

#include "apps/bench/bench.h"

#include <millrace/pipeline/report.h>
#include <millrace/training/training_data.h>

#include <cstdint>
#include <optional>

namespace millrace::apps {

/// Repeated runs of a pipeline.
struct Runs {
  Spread seconds;
  std::int64_t samples = 0, steps = 0;  ///< of one run
  Report report;                        ///< of the run in the middle

  [[nodiscard]] double rate() const { return static_cast<double>(samples) / seconds.median; }
};

/// What a step costs a CPU apart from the pipeline.
struct Costs {
  Spread loop_ms;                         ///< that a loop over steps takes, nothing else at work
  Spread loading_ms, bare_ms, update_ms;  ///< CPU time
  Spread multiple;  ///< a step's time in the pipeline, of their sum divided among `cores`
  int cores = 1;    ///< that the process may use
};

/// The pipeline on one device at one batch size.
struct TrainMeasured {
  std::int64_t batch = 0;
  Runs loading, training;
  std::optional<Costs> costs;
  std::int64_t steps = 0;                                                    ///< of one run
  double loading_ms = 0, copying_ms = 0, computing_ms = 0, together_ms = 0;  ///< a batch
  Bytes planned;
};

/// Loading alone, training, and on the CPU steps alone, in turn: whatever else the machine does
/// meets all of them. Both pipelines' batches are there at a time, each within the memory budget.
/// Throws BudgetError before it allocates; Stopped.
[[nodiscard]] TrainMeasured measure_training(const TrainingData& data, const BenchDevice& device,
                                             const BenchOptions& options, std::int64_t batch,
                                             BenchWatch& watch);

}  // namespace millrace::apps
