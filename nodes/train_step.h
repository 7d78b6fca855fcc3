#pragma once
// The step: forward, backward and update on training batches, forward alone on validation batches.

#include <millrace/nn/engine.h>
#include <millrace/nodes/device_batch.h>
#include <millrace/pipeline/pool.h>
#include <millrace/pipeline/stage.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace millrace {

/// A copy of the weights at the end of an epoch, for observers that work beside the next step.
struct Snapshot {
  std::vector<float> parameters;  ///< as nn::Executor::read(Arena::parameters) gives them
};

/// What a step tells the stages behind it.
struct StepRecord {
  BatchTag tag;
  nn::StepResult result;   ///< of this batch
  nn::StepResult totals;   ///< of the phase so far, this batch included
  std::int64_t holes = 0;  ///< samples of this batch that were left out
  double learning_rate = 0;
  std::uint64_t global_step = 0;  ///< training steps so far
  Lease<Snapshot> snapshot;       ///< at the end of an epoch, if there is a pool for it
};

/// A node for the engine's thread (On::engine): DeviceBatch -> StepRecord. A batch without samples
/// takes no step. The executor is allocated and initialised by the caller and outlives the run.
class TrainStep {
 public:
  /// The learning rate of a step, counted from 1.
  using Schedule = std::function<double(std::uint64_t step)>;
  TrainStep(std::shared_ptr<nn::Executor> executor, Schedule learning_rate);
  /// Takes a copy of the weights at the end of each epoch; waits for the observer of the one
  /// before.
  TrainStep& snapshots(Pool<Snapshot> pool);

  StepRecord operator()(const Lease<DeviceBatch>& batch, Context& context);

 private:
  std::shared_ptr<nn::Executor> executor_;
  Schedule learning_rate_;
  std::shared_ptr<Pool<Snapshot>> snapshots_;
  nn::StepResult totals_;
  std::uint64_t step_ = 0;
};

}  // namespace millrace
